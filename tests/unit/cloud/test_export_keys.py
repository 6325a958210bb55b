"""Paths of documents, read from records of an export."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.cloud.gcp.export_keys import path_of
from opslib.cloud.gcp.export_log import DamagedError

# As Google's emulator 1.19.9 wrote them.
NESTED = bytes.fromhex(
    "6a266a086465767e70726f64721a0b1205757365727322027531 0c0b12066f726465727322016f0c7a091a01782000"
    "2a02080182010d0b1205757365727322027531 0c".replace(" ", "")
)
PLAIN = bytes.fromhex(
    "6a196a086465767e70726f64720d0b12057573657273220275300c7a091a016e20002a02080082010d0b12057573657273220275300c"
)
NUMBERED = bytes.fromhex("6a0c720a0b120575736572731807 0c".replace(" ", ""))


@pytest.mark.parametrize(
    ("record", "path"), [(NESTED, "users/u1/orders/o"), (PLAIN, "users/u0"), (NUMBERED, "users/__id7__")]
)
def test_paths_are_read(record, path):
    assert path_of(record) == path


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_record_that_is_cut_is_damaged_or_still_whole_where_it_matters(cut):
    try:
        assert path_of(NESTED[:cut]) == "users/u1/orders/o"
    except DamagedError:
        assert cut < 41


@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda noise: b"j" + bytes([len(noise)]) + noise))
def test_noise_is_damaged_and_nothing_worse(noise):
    try:
        path = path_of(noise)
    except DamagedError:
        return
    assert path.count("/") % 2 or "/" in path
