"""Open connections are kept, replaced when they are stale, and closed."""

from __future__ import annotations

import dataclasses

import pytest

from opslib.carriers.base import Deadline
from opslib.carriers.connections import Connections
from opslib.errors import UnreachableError
from opslib.target import Target

NEVER = Deadline()
TARGET = Target(name="web1", carrier="local")


class Fake:
    """A connection that tells what happens to it."""

    def __init__(self):
        self.alive = True
        self.closed = 0

    def close(self):
        self.closed += 1
        self.alive = False


class Scripted(Connections):
    """Connections that cost nothing."""

    def __init__(self):
        super().__init__()
        self.made = []

    def _connect(self, target, deadline):
        if target.address == "down":
            raise UnreachableError("it is down")
        self.made.append(Fake())
        return self.made[-1]


def test_a_connection_is_kept():
    """The second time it is the same, and said to be held."""
    connections = Scripted()
    first, held = connections.get(TARGET, NEVER)
    assert not held
    assert connections.get(TARGET, NEVER) == (first, True)
    assert len(connections.made) == 1


def test_a_dead_connection_is_replaced():
    """And closed."""
    connections = Scripted()
    first, _held = connections.get(TARGET, NEVER)
    first.alive = False
    second, held = connections.get(TARGET, NEVER)
    assert (second is not first, held, first.closed) == (True, False, 1)


@pytest.mark.parametrize("change", [{"port": 2222}, {"user": "admin"}, {"password": "x"}, {"address": "10.0.0.1"}])
def test_another_way_in_is_another_connection(change):
    """The same name with other settings does not get the old connection."""
    connections = Scripted()
    first, _held = connections.get(TARGET, NEVER)
    second, held = connections.get(dataclasses.replace(TARGET, **change), NEVER)
    assert (second is not first, held, first.closed) == (True, False, 1)


def test_what_cannot_be_opened_is_not_kept():
    """The error goes to the caller; the next try is a new one."""
    connections = Scripted()
    down = dataclasses.replace(TARGET, address="down")
    for _try in range(2):
        with pytest.raises(UnreachableError):
            connections.get(down, NEVER)
    connections.drop(down)
    connections.close()


def test_dropping_and_closing():
    """Each connection is closed once; closing twice is harmless, and it can be used again."""
    connections = Scripted()
    targets = [dataclasses.replace(TARGET, name=f"web{number}") for number in range(3)]
    for target in targets:
        connections.get(target, NEVER)
    connections.drop(targets[0])
    connections.drop(targets[0])
    connections.close()
    connections.close()
    assert [connection.closed for connection in connections.made] == [1, 1, 1]
    assert connections.get(targets[0], NEVER)[1] is False
    connections.close()


def test_one_connection_that_does_not_close_leaves_no_other_open():
    """Closing goes on, and nothing is raised."""
    connections = Scripted()
    targets = [dataclasses.replace(TARGET, name=f"web{number}") for number in range(3)]
    for target in targets:
        connections.get(target, NEVER)

    def broken():
        raise OSError("gone")

    connections.made[0].close = broken
    connections.close()
    assert [connection.closed for connection in connections.made[1:]] == [1, 1]


def test_local_targets_need_no_network():
    """The local carrier is a subprocess away."""
    connections = Connections()
    connection, held = connections.get(TARGET, NEVER)
    assert (type(connection).__name__, held) == ("LocalConnection", False)
    connections.close()
