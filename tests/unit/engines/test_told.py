"""What tasks say before their end under ansible-playbook is told as it is said, and never with a secret."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from opslib.carriers import ansible, controller
from opslib.carriers.told import FOLDER, SOCKET, Teller
from opslib.engines import told
from opslib.engines.hidden import Hidden
from opslib.events import StepTold
from support.here import Errand


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's private folder, whatever its name; ansible-playbook has it in its environment."""
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    monkeypatch.setenv(FOLDER, str(folder))
    return folder


def carry(teller: Teller, **args: str) -> dict[str, object]:
    return ansible.carry(Errand, args, lambda *_: (1, "", ""), tell=teller.tell)


def test_a_task_s_words_arrive_without_secrets(folder: Path) -> None:
    """Neither one of the run, nor one of the task."""
    events: list[StepTold] = []
    with told.heard(folder, events.append, Hidden(["looked"])):
        with Teller("web", "role : The errand") as one, Teller("db", "other") as two:
            assert carry(one)["changed"] is False
            assert carry(two, secret="identified")["changed"] is False
    heard = {(event.host, event.step, event.task, event.message["progress"]) for event in events}
    web, db = ("web", "role : The errand", "errand"), ("db", "other", "errand")
    assert heard == {(*web, "identified"), (*web, "***"), (*db, "***")}


def test_secrets_of_one_task_are_masked_everywhere_from_then_on(folder: Path) -> None:
    """Even one that is a word of ours spoils nothing."""
    events: list[StepTold] = []
    hidden = Hidden()
    with told.heard(folder, events.append, hidden), Teller("web", "first") as one, Teller("web", "host") as two:
        ansible.carry(Errand, {"secret": "identified"}, lambda *_: (1, "", ""), confide=one.confide)
        two.confide(["host", "message"])
        assert set(hidden) == {"identified", "host", "message"}
        carry(two)
    assert [(event.host, event.step, event.message["progress"]) for event in events][0] == ("web", "***", "***")


def test_where_nobody_listens_the_task_runs_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Teller("web", "step") as teller:
        teller.confide(["a secret"])
        assert carry(teller)["changed"] is False
    monkeypatch.delenv(FOLDER)
    with Teller("web", "step") as teller:
        assert carry(teller)["changed"] is False


@pytest.mark.parametrize(
    "said",
    [
        b"no json",
        b"[]",
        b"5",
        b"\xff\xfe",
        b"[" * 100000,
        b'{"host": "web", "step": "s", "task": "t"}',
        b'{"host": 5, "step": "s", "task": "t", "message": {}}',
        b'{"host": "web", "step": "s", "task": "t", "message": []}',
    ],
)
def test_what_makes_no_sense_is_dropped(folder: Path, said: bytes) -> None:
    events: list[StepTold] = []
    with told.heard(folder, events.append, Hidden()):
        with socket.socket(socket.AF_UNIX) as line, controller.short_path(str(folder / SOCKET)) as short:
            line.connect(short)
            line.sendall(said + b'\n{"host": "web", "step": "s", "task": "t", "message": {"progress": "well"}}\n')
    assert [event.message for event in events] == [{"progress": "well"}]
