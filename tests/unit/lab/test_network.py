"""A lab takes a network that nobody on this machine uses."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.lab import LabError
from opslib.lab.network import unused_subnet

RANGE = "10.203.0.0/16"


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        ([], "10.203.0.0/24"),
        (["192.168.1.0/24"], "10.203.0.0/24"),
        (["10.203.0.0/24"], "10.203.1.0/24"),
        (["10.203.0.7/32"], "10.203.1.0/24"),
        (["10.203.0.0/17"], "10.203.128.0/24"),
        (["10.203.1.0/24"], "10.203.0.0/24"),
    ],
)
def test_first_free_subnet(taken: list[str], chosen: str) -> None:
    assert unused_subnet(RANGE, map(IPv4Network, taken)) == IPv4Network(chosen)


@pytest.mark.parametrize("taken", ["10.0.0.0/8", "10.203.0.0/16"])
def test_no_free_subnet(taken: str) -> None:
    with pytest.raises(LabError, match="network="):
        unused_subnet(RANGE, [IPv4Network(taken)])


@given(st.sets(st.integers(0, 255), max_size=255))
def test_never_one_that_is_taken(thirds: set[int]) -> None:
    taken = [IPv4Network(f"10.203.{third}.0/24") for third in thirds]
    chosen = unused_subnet(RANGE, taken)
    assert chosen.prefixlen == 24
    assert chosen.subnet_of(IPv4Network(RANGE))
    assert not any(chosen.overlaps(other) for other in taken)
