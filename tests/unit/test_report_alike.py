"""What many hosts say in the same words is told once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.output.alike import Shared, draw_together


def together(*said: tuple[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.text, each.hosts) for each in draw_together((host, text, None) for host, text in said)]


def test_numbers_become_a_range() -> None:
    said = [
        ("a", "/ is 41% full, 23.1 GiB free"),
        ("b", "/ is 7% full, 9.5 GiB free"),
        ("c", "/ is 8% full, 9.5 GiB free"),
    ]
    assert together(*said) == [("/ is 7..41% full, 9.5..23.1 GiB free", ("a", "b", "c"))]


def test_equal_texts_stay_as_they_are() -> None:
    assert together(("a", "nginx 1.2"), ("b", "nginx 1.2")) == [("nginx 1.2", ("a", "b"))]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("since 2026-01-02", "since 2026-01-03"),
        ("at 10:11:12", "at 10:11:13"),
        ("version 1.2.3", "version 1.2.4"),
        ("/srv/app1 is gone", "/srv/app2 is gone"),
        ("5 GiB free", "900 MiB free"),
        ("10.0.0.0/8", "10.0.0.0/16"),
    ],
)
def test_what_is_no_quantity_is_not_merged(one: str, two: str) -> None:
    assert [text for text, _hosts in together(("a", one), ("b", two))] == [one, two]


def test_addresses_and_own_names_are_replaced() -> None:
    said = [("web9", "web9: no route to 10.0.0.9 port 22"), ("web10", "web10: no route to 10.0.0.10 port 22")]
    assert together(*said) == [("<host>: no route to <address> port 22", ("web9", "web10"))]


def test_one_host_keeps_its_own_name() -> None:
    assert together(("web9", "web9: gone")) == [("web9: gone", ("web9",))]


def test_keys_keep_apart() -> None:
    shared = draw_together([("a", "x 1", "k"), ("b", "x 2", "l"), ("c", "x 3", "k")])
    assert shared == [Shared(text="x 1..3", hosts=("a", "c"), key="k"), Shared(text="x 2", hosts=("b",), key="l")]


def test_a_text_with_nul_is_no_placeholder() -> None:
    assert together(("a", "\0 1"), ("b", "\0 2"))[0][0] == "\\0 1..2"


TEXTS = st.text(st.characters(exclude_characters="abcdef"))  # one with the name of its host is said apart


@given(st.lists(st.tuples(st.sampled_from("abcdef"), TEXTS), max_size=20))
def test_every_host_is_told_and_single_texts_survive(said: list[tuple[str, str]]) -> None:
    shared = draw_together((host, text, None) for host, text in said)
    assert {host for each in shared for host in each.hosts} == {host for host, _text in said}
    if len({text for _host, text in said}) == 1:
        assert [each.text for each in shared] == [said[0][1]]
