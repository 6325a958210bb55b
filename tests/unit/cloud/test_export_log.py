"""Firestore exports: what Google's emulator wrote is read, and damage is seen wherever it is."""

from __future__ import annotations

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.cloud.gcp.export_log import DamagedError, LogReader, Part, names_in, parts_in, records
from support import exports

CRC = google_crc32c.value
# of an export of 40 documents by version 1.19.9
MARKER = bytes.fromhex(
    "b86d444e010001332c489bbf5000010a4e0a04080218031241616c6c5f6e616d657370616365732f616c6c5f6b696e64732f616c6c5f6e616d"
    "657370616365735f616c6c5f6b696e64732e6578706f72745f6d65746164617461182820c721"
)
METADATA = bytes.fromhex(
    "0a2b0a17323032362d31312d32365430323a30303a30305f3132331089b2ecd4efa698031898c8ed d4efa69803120c0a0012086f75747075742d30"
)
EMPTY = bytes.fromhex("b86d444e01000133052b2843000001")


def test_what_the_emulator_writes_is_understood():
    assert parts_in(records(MARKER, CRC)) == [Part(exports.NAME, documents=40, bytes=4295)]
    assert names_in(METADATA) == ["output-0"]
    assert parts_in(records(EMPTY, CRC)) == []


def test_what_tests_make_is_what_the_emulator_writes():
    assert parts_in(records(exports.marker(40, 4295), CRC)) == parts_in(records(MARKER, CRC))
    assert names_in(exports.metadata("output-0", "output-17")) == ["output-0", "output-17"]


@given(st.lists(st.binary(max_size=70_000), max_size=4), st.integers(1, 40_000))
def test_records_come_back_whatever_the_pieces(data, size):
    raw = exports.log(*data)
    reader = LogReader(CRC, keep=True)
    for begin in range(0, len(raw), size):
        reader.write(raw[begin : begin + size])
    reader.close()
    assert reader.records == data
    assert reader.count == len(data)


@pytest.mark.parametrize("at", range(len(MARKER)))
def test_one_wrong_bit_anywhere_is_seen(at):
    with pytest.raises(DamagedError, match="byte"):
        records(MARKER[:at] + bytes((MARKER[at] ^ 4,)) + MARKER[at + 1 :], CRC)


@pytest.mark.parametrize("kept", [1, 7, 9, 20, len(MARKER) - 1])
def test_a_cut_marker_is_seen(kept):
    with pytest.raises(DamagedError, match="cut or damaged"):
        records(MARKER[:kept], CRC)


def test_an_end_between_the_parts_of_a_record_is_seen():
    raw = exports.log(b"x" * 40_000)
    with pytest.raises(DamagedError, match="ends at byte 32768 in the middle of a record"):
        records(raw[:32768], CRC)


@given(st.binary(max_size=3000))
def test_nonsense_is_damage_and_no_crash(data):
    try:
        parts_in(records(data, CRC))
    except DamagedError:
        pass
    parts_in([data])
    names_in(data)


def test_collections_may_be_called_like_outputs():
    assert names_in(exports.metadata("output-notes", "output-1")) == ["output-1"]
