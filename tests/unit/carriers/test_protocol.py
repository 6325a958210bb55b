"""What a payload answers, and what else may come in its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.carriers import protocol
from opslib.carriers.protocol import Answer, Beat, Bye, End, Hello, Part, Source, Start
from opslib.errors import CarrierError

TOKEN = "opslib:0123456789abcdef01234567"
RESULT = {"status": "ok", "changed": False, "reason": "fine", "data": {"text": "ä\n\udcff"}}
WHOLE = [
    b"Welcome!\n",
    b"opslib-ready\n",
    b'hello {"python": [3, 11, 2], "pid": 5}\n',
    b"start 0\n",
    b"beat\n",
    b'part 0 {"line": "x"}\n',
    b"end 0 ok 0 " + json.dumps(RESULT).encode() + b"\n",
    b"some noise in between\n",
    b"start 1\n",
    b"end 1 failed 1 {}\n",
    b'bye {"error": null}\n',
]
STREAM = b"".join(
    line if line[:1] in b"Wos" and b"start" not in line else TOKEN.encode() + b" " + line for line in WHOLE
)
MESSAGES = [Hello("3.11.2"), Start(0), Beat(), Part(0, {"line": "x"}), End(0, RESULT), Start(1), End(1, {}), Bye(None)]


def answer(steps=2):
    """Return a fresh reader."""
    return Answer(TOKEN, steps)


def read(*pieces, steps=2):
    """Return the messages in some pieces."""
    reader = answer(steps)
    return [message for piece in pieces for message in reader.feed(piece)]


def line(text):
    """Return a line of the protocol."""
    return TOKEN.encode() + b" " + (text if isinstance(text, bytes) else text.encode()) + b"\n"


def test_a_whole_answer_is_read():
    """Messages in order; the rest is noise, and `ready` is known."""
    reader = answer()
    assert list(reader.feed(STREAM)) == MESSAGES
    assert reader.ready
    assert reader.explain() == "Welcome! / some noise in between"


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_pieces_make_no_difference(cuts):
    """However the bytes are cut up, the same messages come out."""
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in zip(places, places[1:], strict=False)]
    assert read(*pieces) == MESSAGES


def test_single_bytes_make_no_difference():
    """The worst way to cut."""
    reader = answer()
    assert [message for at in range(len(STREAM)) for message in reader.feed(STREAM[at : at + 1])] == MESSAGES
    assert reader.explain() == "Welcome! / some noise in between"


def test_source_is_asked_for_once():
    """A host that asks again would be sent to for ever."""
    assert read(line("source")) == [Source()]
    with pytest.raises(CarrierError, match="makes no sense"):
        read(line("source"), line("source"))


def test_a_line_counts_once_it_is_whole():
    """What has no end yet is no message."""
    assert read(line("start 1")[:-1]) == []


FRAGMENTS = st.sampled_from(
    [TOKEN.encode(), b" ", b"\n", b"hello", b"start", b"end", b"bye", b"beat", b" 0 ", b" 1", b"-1", b"99", b"{", b"}"]
    + [
        b'{"python": [3, 8, 1]}',
        b'{"error": null}',
        b'{"error": "x"}',
        b"{}",
        b"[]",
        b"null",
        b"NaN",
        b"1e999",
        b"ok 0 ",
    ]
    + [b'{"python": [1e999]}', b'{"python": "x"}', b"\xff\xfe", b"\0", b"opslib-ready\n", b"[" * 3000, b"9" * 5000]
)
BYTES = st.lists(st.binary(max_size=30) | FRAGMENTS, max_size=25).map(b"".join)
LINES = st.lists(st.lists(FRAGMENTS, max_size=6).map(lambda words: line(b" ".join(words))), max_size=6).map(b"".join)


@given(data=BYTES | LINES, size=st.integers(1, 50))
def test_any_bytes_give_messages_or_a_carrier_error(data, size):
    """A host may send anything; nothing else is raised, and what is said can be printed."""
    reader = answer()
    try:
        for at in range(0, len(data), size):
            for message in reader.feed(data[at : at + size]):
                assert isinstance(message, Hello | Start | End | Beat | Bye)
                if isinstance(message, Start | End):
                    assert message.number in (0, 1)
    except CarrierError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 500
    assert "\n" not in reader.explain()
    reader.explain().encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "what",
        "hello",
        "hello {}",
        "hello []",
        'hello {"python": 3}',
        'hello {"python": [null]}',
        'hello {"python": [1e999]}',
        'hello {"python": ["x"]}',
        "hello " + "[" * 100000,
        "bye",
        "bye {}",
        "bye null",
        "bye [",
        "start",
        "start x",
        "start -1",
        "start 2",
        "start 99999999999999999999",
        "end",
        "end 0",
        "end 0 ok",
        "end 0 ok 0",
        "end 0 ok 0 [1]",
        "end 0 ok 0 null",
        "end 0 ok 0 {",
        "end 2 ok 0 {}",
        b"end 0 ok 0 \xff\xfe\xfd",
        "end 0 ok 0 " + '{"a":' * 50000,
        "end 0 ok 0 " + '{"a": ' + "9" * 5000 + "}",
    ],
    ids=lambda text: repr(text[:30]),
)
def test_nonsense_with_the_token_is_an_error(text):
    """A line that claims to be ours must be right."""
    with pytest.raises(CarrierError, match="the host's answer makes no sense"):
        read(line(text))


def test_an_error_does_not_repeat_what_the_host_says_of_a_step():
    """A result may hold what is not to be shown, and it does not come whole."""
    with pytest.raises(CarrierError) as caught:
        read(line('end 0 ok 0 {"data": "hunter2", }'))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("token", ["opslib:0000", TOKEN[:-1], TOKEN + "x", " " + TOKEN, TOKEN.upper(), "\t" + TOKEN])
def test_lines_of_another_token_are_noise(token):
    """Nothing but the run's own token counts, and only at the beginning of a line."""
    reader = answer()
    assert list(reader.feed(token.encode() + b" start 0\n")) == []
    assert token.strip() in reader.explain()


@pytest.mark.parametrize("greeting", [b"", b"Welcome! ", b"Welcome!\n", b"\xff", b"opslib-ready?\n"])
def test_a_greeting_does_not_hide_that_python_runs(greeting):
    """Also when it does not end its line."""
    reader = answer()
    list(reader.feed(greeting))
    assert not reader.ready
    list(reader.feed(b"opslib-ready\n"))
    assert reader.ready


def test_an_error_of_the_payload_is_text():
    """Also when it is not."""
    assert read(line('bye {"error": "no"}'), line('bye {"error": 5}')) == [Bye("no"), Bye("5")]


def test_noise_is_kept_within_limits():
    """The first 4 KiB explain enough."""
    reader = answer()
    list(reader.feed(b"x" * 3000 + b"\n" + b"y" * 3000 + b"\n" + b"z" * 3000))
    assert len(reader.noise) == protocol.MAX_NOISE
    assert len(reader.explain()) < 2 * protocol.MAX_NOISE + 10


def test_hostile_noise_can_be_shown():
    """It is decoded, whatever it is."""
    reader = answer()
    list(reader.feed(b"caf\xe9 \xff\n"))
    assert reader.explain() == "caf\\xe9 \\xff"


def test_a_line_has_a_longest_length(monkeypatch):
    """Without an end in sight the answer is dropped, whatever the pieces."""
    monkeypatch.setattr(protocol, "MAX_LINE", 1000)
    for size in (1, 7, 2000):
        reader = answer()
        with pytest.raises(CarrierError, match="a line of more than"):
            for _piece in range(2000):
                list(reader.feed(b"x" * size))


def test_an_answer_has_a_longest_length(monkeypatch):
    """Noise counts as well."""
    monkeypatch.setattr(protocol, "MAX_TOTAL", 10000)
    reader = answer()
    with pytest.raises(CarrierError, match="the host sent more than"):
        for _piece in range(2000):
            list(reader.feed(b"noise\n"))


def test_a_long_line_in_small_pieces_is_not_gone_through_each_time():
    """Or one slow host would keep the others waiting: the work grows with the bytes, not with their square."""

    class Counting(bytearray):
        looked = 0

        def split(self, *args):
            Counting.looked += len(self)
            return super().split(*args)

    reader = answer()
    reader._rest = Counting()
    for _piece in range(5000):
        assert list(reader.feed(b"x" * 100)) == []
    assert Counting.looked == 0


def test_parts_are_not_counted(monkeypatch):
    """Of what is passed on and forgotten there may be any amount; of all else there may not."""
    monkeypatch.setattr(protocol, "MAX_TOTAL", 1000)
    reader = answer()
    for _turn in range(100):
        assert len(list(reader.feed(line(b'part 1 {"text": "' + b"x" * 100 + b'"}')))) == 1
    with pytest.raises(CarrierError, match="more than"):
        for _turn in range(100):
            list(reader.feed(line("beat") + b"noise" * 10 + b"\n"))


@pytest.mark.parametrize("rest", ["", "0", "9 {}", "0 []", "0 x", "x {}", "-1 {}"])
def test_a_part_that_makes_no_sense_is_refused(rest):
    """It must be of a step, and a mapping."""
    with pytest.raises(CarrierError, match="makes no sense"):
        read(line("part " + rest))
