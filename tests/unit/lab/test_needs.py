"""What is missing is said in sentences, with the command that mends it."""

from __future__ import annotations

from typing import Any

import pytest

from opslib.lab.needs import TOOLS, missing

ALL_CAPABILITIES = 0x1FFFFFFFFFF


def absent(**changed: Any) -> list[str]:
    machine: dict[str, Any] = {
        "euid": 0,
        "capabilities": ALL_CAPABILITIES,
        "has_tool": lambda _: True,
        "has_keyring": True,
        "has_overlay": True,
        "has_namespaces": True,
        "has_cgroups": True,
    }
    return missing(**{**machine, **changed})


def test_nothing_is_missing() -> None:
    assert absent() == []


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ({"euid": 1000, "capabilities": 0}, "needs root"),
        ({"capabilities": ALL_CAPABILITIES & ~(1 << 21)}, "CAP_SYS_ADMIN"),
        ({"has_overlay": False}, "modprobe overlay"),
        ({"has_namespaces": False}, "namespaces"),
        ({"has_cgroups": False}, "cgroup2"),
        ({"has_keyring": False}, "apt-get install debian-archive-keyring"),
    ],
)
def test_one_sentence_per_need(machine: dict[str, Any], words: str) -> None:
    (sentence,) = absent(**machine)
    assert words in sentence
    assert sentence.endswith(".")


def test_tools_are_named_with_one_command_for_all() -> None:
    (sentence,) = absent(has_tool=lambda name: name not in {"mmdebstrap", "systemd-nspawn", "flock", "nsenter"})
    assert sentence == (
        "Not installed: mmdebstrap, systemd-nspawn, nsenter, flock. "
        "Run `apt-get install mmdebstrap systemd-container util-linux`."
    )


def test_an_empty_machine_hears_everything_at_once() -> None:
    sentences = absent(
        euid=1, has_tool=lambda _: False, has_overlay=False, has_namespaces=False, has_cgroups=False, has_keyring=False
    )
    assert len(sentences) == 5
    assert all(package in sentences[1] for package in TOOLS.values())
