"""Credentials reach cloud tasks under ansible-playbook, and nothing else there."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from opslib.carriers import controller, payload
from opslib.engines import cloud_environment
from support.here import Errand


def test_what_is_picked_out() -> None:
    own = {"AWS_PROFILE": "a", "https_proxy": "b", "VERCEL_TOKEN": "c", "HOME": "/", "MY_AWS_KEY": "d"}
    assert cloud_environment.found(own) == {"AWS_PROFILE": "a", "https_proxy": "b", "VERCEL_TOKEN": "c"}


def test_a_task_s_process_gets_it_over_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even much of it, and as often as asked; what asks has not to have it itself. However long the folder's name."""
    tmp_path = tmp_path / ("x" * 200)
    tmp_path.mkdir()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary" * 20000)
    with cloud_environment.offered(tmp_path):
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv(controller.OFFERED, str(cloud_environment.socket_of(tmp_path)))
        for _time in range(3):
            assert controller._environment()["AWS_SECRET_ACCESS_KEY"] == "canary" * 20000
            assert controller.OFFERED not in controller._environment()
    assert b"canary" not in b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def test_without_an_offer_nothing_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock ansible-playbook has the environment that it was started with; an offer that is over is none."""
    monkeypatch.setenv(controller.OFFERED, str(tmp_path / "gone"))
    job = payload.Job(steps=[{"id": 0, "task": "errand", "args": {}}], tasks=[Errand], token=payload.Job.new_token())
    code, _out, _err = controller.carry_out(job)
    assert code == 0


def test_nobody_answers_when_the_run_is_over(tmp_path: Path) -> None:
    with cloud_environment.offered(tmp_path):
        pass
    with socket.socket(socket.AF_UNIX) as asked, pytest.raises(ConnectionRefusedError):
        with controller.short_path(str(cloud_environment.socket_of(tmp_path))) as short:
            asked.connect(short)
