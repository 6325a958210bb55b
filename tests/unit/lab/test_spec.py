"""What is asked of a lab is checked before anything is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opslib.lab import LabError
from opslib.lab.spec import MAX_HOSTS, Bind, LabSpec, check_name


def spec(**changed: Any) -> LabSpec:
    values: dict[str, Any] = {
        "hosts": 3,
        "packages": (),
        "binds": {},
        "disk": "512M",
        "suite": "bookworm",
        "network": "10.203.0.0/16",
    }
    return LabSpec.checked(**{**values, **changed})


@pytest.mark.parametrize("name", ["a", "lab-1", "0", "x" * 32])
def test_name_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", ".", "..", ".hidden", "a\n", "a\nb", "-a", "A", "a b", "ä", "x" * 33, "a\0", None, 3]
)
def test_name_is_refused(name: Any) -> None:
    with pytest.raises(LabError, match="name="):
        check_name(name)


@pytest.mark.parametrize("hosts", [1, 50, MAX_HOSTS])
def test_hosts_are_taken(hosts: int) -> None:
    assert spec(hosts=hosts).hosts == hosts


@pytest.mark.parametrize("hosts", [0, -1, MAX_HOSTS + 1, 10**9, True, 2.0, "3", None])
def test_hosts_are_refused(hosts: Any) -> None:
    with pytest.raises(LabError, match="hosts="):
        spec(hosts=hosts)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("packages", ["curl; reboot"]),
        ("packages", ["--hook"]),
        ("packages", ["a,b"]),
        ("packages", ["curl\n"]),
        ("packages", [""]),
        ("packages", "curl"),
        ("suite", "../x"),
        ("suite", ""),
        ("disk", "512"),
        ("disk", "1M"),
        ("disk", "0M"),
        ("disk", "512M,exec"),
        ("disk", "99999999G"),
        ("network", "8.8.8.0/24"),
        ("network", "10.0.0.0/25"),
        ("network", "127.0.0.0/8"),
        ("network", "10.203.0.1/16"),
        ("network", "fd00::/64"),
        ("network", "x"),
    ],
)
def test_value_is_refused_and_named(what: str, value: Any) -> None:
    with pytest.raises(LabError, match=what):
        spec(**{what: value})


def test_packages_are_in_order_and_once() -> None:
    assert spec(packages=["zsh", "curl", "zsh"]).packages == ("curl", "zsh")


def test_binds_are_read_only_unless_asked(tmp_path: Path) -> None:
    assert spec(binds={tmp_path: "/srv/a"}).binds == (Bind(str(tmp_path), "/srv/a", writable=False),)
    assert spec(binds={str(tmp_path): "/srv/a:rw"}).binds == (Bind(str(tmp_path), "/srv/a", writable=True),)


@pytest.mark.parametrize("target", ["srv", "/", "//", "", "/a/../b", "/a:wx", "/a:rw:rw", "/a\nb"])
def test_bind_target_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(LabError, match="binds"):
        spec(binds={tmp_path: target})


@pytest.mark.parametrize("source", ["relative", "/no/such/path/here", "/proc/../no-such"])
def test_bind_source_is_refused(source: str) -> None:
    with pytest.raises(LabError, match="binds"):
        spec(binds={source: "/srv"})


def test_layers_are_existing_folders(tmp_path: Path) -> None:
    assert spec(layers=[tmp_path]).layers == (str(tmp_path),)
    assert spec().layers == ()
    comma = tmp_path / "a,b"
    comma.mkdir()
    for layer in ("relative", str(tmp_path / "missing"), f"{tmp_path}/../\n", str(comma)):
        with pytest.raises(LabError, match="layers"):
            spec(layers=[layer])
