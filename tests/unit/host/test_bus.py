"""Asking systemd over its own socket: a real answer, cut, spoilt and followed by silence."""

import os
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.units import bus, systemd

HERE = os.path.dirname(os.path.abspath(__file__))
WANTED = (
    "Id",
    "LoadState",
    "LoadError",
    "NeedDaemonReload",
    "InvocationID",
    "TriggeredBy",
    "Listen",
    "MainPID",
    "MemoryMax",
)


def answer(name):
    """Return a captured answer."""
    with open(os.path.join(HERE, "data", name), "rb") as file:
        return file.read()


class Systemd:
    """A socket that lets one caller in and answers with given bytes."""

    def __init__(self, path, said, greeting=b"DATA\r\nOK 0123456789abcdef\r\n"):
        self.path, self.said, self.greeting, self.asked = path, said, greeting, b""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(1)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        """Greet, hear the question, answer, hang up."""
        caller, _address = self.socket.accept()
        with caller:
            got = caller.recv(4096)
            caller.sendall(self.greeting)
            if b"OK" in self.greeting:
                self.asked = caller.recv(4096)
                caller.sendall(self.said)
        assert got.startswith(b"\0AUTH EXTERNAL\r\n")

    def close(self):
        """Wait for its end."""
        self.thread.join()
        self.socket.close()


@pytest.fixture
def serve(tmp_path):
    """`serve(bytes)` answers the next question with these bytes; returns the socket's path."""
    made = []

    def start(said, **options):
        made.append(Systemd(str(tmp_path / ("bus%d" % len(made))), said, **options))
        return made[-1].path

    yield start
    for each in made:
        each.close()


def test_a_service(serve):
    """Its properties, in the words of `systemctl show`."""
    found = bus.properties("bench.service", systemd.PROPERTIES, serve(answer("bus_service.bin")))
    assert found["Id"] == "bench.service"
    assert found["ActiveState"] == "active"
    assert found["NeedDaemonReload"] == "no"
    assert int(found["MainPID"]) > 1
    assert len(found["InvocationID"]) == 32
    assert found["ControlGroup"].endswith("/bench.service")
    assert found["LoadError"] == ' ""'
    assert "MemoryMax" not in found


def test_a_socket(serve):
    """Its addresses, as a list; what has no end is called so."""
    path = serve(answer("bus_socket.bin"))
    found = bus.properties("bench.socket", WANTED, path)
    assert found["Listen"] == ["[::]:8099 (Stream)", "/run/x.sock (Stream)"]
    assert found["MemoryMax"] == "infinity"


def test_what_comes_unasked_is_passed_over(serve):
    """A signal before the answer."""
    said = answer("bus_service.bin")
    signal = said[:1] + b"\4" + said[2:]
    assert bus.properties("bench.service", ["Id"], serve(signal + said)) == {"Id": "bench.service"}


@pytest.mark.parametrize("greeting", [b"REJECTED EXTERNAL\r\nERROR\r\n", b"DATA\r\nREJECTED\r\n", b""])
def test_who_is_not_let_in_asks_systemctl(serve, greeting):
    """None, and no error."""
    assert bus.properties("bench.service", ["Id"], serve(b"", greeting=greeting)) is None


def test_no_socket(tmp_path):
    """A host without systemd, or an old one."""
    assert bus.properties("bench.service", ["Id"], str(tmp_path / "none")) is None
    assert bus.properties("bench.service", ["Id"], "/" + "x" * 200) is None


@pytest.mark.parametrize("cut", [0, 1, 15, 16, 100, 5000, -1])
def test_a_cut_answer(serve, cut):
    """The other side went away."""
    assert bus.properties("bench.service", ["Id"], serve(answer("bus_service.bin")[:cut])) is None


def test_an_error(serve):
    """No such object: systemctl will say what is wrong."""
    said = answer("bus_service.bin")
    assert bus.properties("bench.service", ["Id"], serve(said[:1] + b"\3" + said[2:])) is None


def test_an_endless_answer(serve):
    """A length that nobody means."""
    said = answer("bus_service.bin")
    assert bus.properties("bench.service", ["Id"], serve(said[:4] + b"\xff\xff\xff\x7f" + said[8:])) is None


@pytest.mark.parametrize("kind", ["a()", "az", "(", "a" * 200, "()"])
def test_a_type_that_holds_nothing_is_refused(kind):
    with pytest.raises((ValueError, LookupError)):
        bus._read(b"\x08\0\0\0" * 9, 0, kind)


def test_a_nest_without_end_is_refused():
    with pytest.raises(ValueError, match="nested too deeply"):
        bus._read(b"\1v\0" * 5000, 0, "v")


@given(st.data())
def test_a_spoilt_answer_never_harms(data):
    """Any bytes in place of some: facts, or an error that the caller expects."""
    said = bytearray(answer("bus_service.bin"))
    for _ in range(data.draw(st.integers(1, 5))):
        said[data.draw(st.integers(16, len(said) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = bus._parse(bytes(said), systemd.PROPERTIES)
    except (ValueError, LookupError):
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("bench.service", b"/unit/bench_2eservice\0"),
        ("0a@b-c.mount", b"/unit/_30a_40b_2dc_2emount\0"),
        ("a\\x2d1.service", b"/unit/a_5cx2d1_2eservice\0"),
    ],
)
def test_the_name_of_a_unit_in_a_path(unit, path):
    """Escaped as systemd does."""
    assert path in bus._question(unit)
