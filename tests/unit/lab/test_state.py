"""A lab's state survives the file, names what belongs to the lab, and knows when its owner is dead."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from opslib.lab import LabError
from opslib.lab.processes import Owner, boot_id
from opslib.lab.spec import Bind, LabSpec
from opslib.lab.state import LabState, existing, load


@pytest.fixture
def state(tmp_path: Path) -> LabState:
    folder = tmp_path / "one"
    folder.mkdir()
    return LabState(
        name="one",
        id="3f9a01",
        spec=LabSpec(250, ("curl",), (Bind("/srv", "/srv", writable=True),), "512M", "bookworm", "10.203.0.0/16"),
        subnet="10.203.7.0/24",
        image="bookworm-0",
        sudo_password="hush",
        keep=False,
        owner=Owner.current(),
        boot=boot_id(),
        created=1.5,
        folder=folder,
    )


def test_state_survives_its_file(state: LabState) -> None:
    state.save()
    assert load(state.folder) == state
    assert list(existing(state.folder.parent)) == [state]


def test_file_is_for_root_alone(state: LabState) -> None:
    state.save()
    assert [path.stat().st_mode & 0o777 for path in state.folder.iterdir()] == [0o600]


def test_password_is_not_shown(state: LabState) -> None:
    assert "hush" not in repr(state)


def test_addresses_and_names(state: LabState) -> None:
    assert state.gateway == "10.203.7.1"
    assert [state.address(number) for number in (1, 250)] == ["10.203.7.2", "10.203.7.251"]
    assert state.host_name(1) == "lab1"
    assert len(state.link(250)) < 16  # IFNAMSIZ


def test_alive_while_its_owner_is(state: LabState) -> None:
    owner = Owner.current()
    assert state.alive()
    assert not replace(state, boot="another boot").alive()
    assert not replace(state, owner=replace(owner, start=owner.start + 1)).alive()
    assert not replace(state, owner=replace(owner, boot="another boot")).alive()
    assert state.without_owner().alive()


def test_a_zombie_is_no_owner(state: LabState) -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        start = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        assert not replace(state, owner=Owner(pid, start, boot_id())).alive()
    finally:
        os.waitpid(pid, 0)


def test_no_state_no_lab(tmp_path: Path) -> None:
    assert load(tmp_path / "none") is None
    assert list(existing(tmp_path / "none")) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', "null", '{"schema": 99}', "{"])
def test_foreign_state_is_refused_and_passed_over(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "state.json").write_text(text)
    with pytest.raises(LabError, match=r"state\.json"):
        load(folder)
    assert list(existing(tmp_path)) == []


def test_own_folders_are_no_labs(state: LabState) -> None:
    state.save()
    state.folder.rename(state.folder.with_name(".one.new"))
    assert list(existing(state.folder.parent)) == []


def test_other_fields_are_refused(state: LabState) -> None:
    state.save()
    path = state.folder / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "folder": "/etc"}))
    with pytest.raises(LabError):
        load(state.folder)
