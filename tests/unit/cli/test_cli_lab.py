"""`opslib lab`, over a stand-in for the lab: what it asks for and what it says."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

import opslib.lab
from opslib.cli.main import main
from opslib.lab.errors import LabError
from opslib.lab.progress import Progress

Out = pytest.CaptureFixture[str]


@dataclass
class Host:
    name: str


@dataclass
class Info:
    name: str
    hosts: int = 2
    network: str = "10.203.1.0/24"
    created: float = 0.0
    detached: bool = True
    alive: bool = True


@dataclass
class FakeLab:
    """The part of `opslib.lab.Lab` that the command uses."""

    name: str
    stopped: list[str] = field(default_factory=list)
    inventory: Path = Path("/run/lab/inventory.yml")
    ssh_config: Path = Path("/run/lab/ssh_config")
    found: ClassVar[list[Info]] = []
    asked: ClassVar[list[Any]] = []

    @property
    def hosts(self) -> list[Host]:
        return [Host("lab1"), Host("lab2")]

    @classmethod
    def start(cls, hosts: int, **values: Any) -> FakeLab:
        progress = values.pop("progress")
        progress(Progress("preparing the hosts", 0, hosts))
        progress(Progress("lab1 up", 1, hosts))
        cls.asked.append((hosts, values))
        return cls(values["name"] or "lab-1")

    @classmethod
    def attach(cls, name: str) -> FakeLab:
        if name not in [info.name for info in cls.found]:
            raise LabError(f"no lab called {name!r} runs on this machine")
        return cls(name)

    @classmethod
    def list(cls) -> list[Info]:
        return cls.found

    def inventory_text(self, user: str) -> str:
        return f"inventory for {user}"

    def stop(self) -> None:
        self.asked.append(("stop", self.name))


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeLab]:
    """A lab without hosts."""
    monkeypatch.setattr(opslib.lab, "Lab", FakeLab, raising=False)
    monkeypatch.setattr(FakeLab, "found", [Info("one")])
    monkeypatch.setattr(FakeLab, "asked", [])
    return FakeLab


def test_up(fake: type[FakeLab], capsys: Out) -> None:
    words = ["lab", "up", "-n", "4", "--name", "mine", "--disk", "1G", "--package", "nginx", "--package", "jq"]
    assert main(words) == 0
    assert fake.asked == [(4, {"detached": True, "name": "mine", "disk": "1G", "packages": ("nginx", "jq")})]
    shown = capsys.readouterr()
    assert shown.err == "preparing the hosts\nlab1 up (1/4)\n"
    assert "inventory: /run/lab/inventory.yml\n" in shown.out


def test_down(fake: type[FakeLab], capsys: Out) -> None:
    assert main(["lab", "down"]) == 0
    assert main(["lab", "down", "one"]) == 0
    fake.found.extend([Info("two"), Info("tests", detached=False), Info("dead", alive=False)])
    assert main(["lab", "down"]) == 1
    assert "which lab? there are one, two; say which" in capsys.readouterr().err
    assert main(["lab", "down", "nope"]) == 1
    assert main(["lab", "down", "--all"]) == 0
    assert [name for _stop, name in fake.asked] == ["one", "one", "one", "two", "tests"]


def test_list(fake: type[FakeLab], capsys: Out) -> None:
    fake.found.append(Info("dead", hosts=1, detached=False, alive=False))
    assert main(["lab", "list"]) == 0
    one, dead = capsys.readouterr().out.splitlines()
    assert one.startswith("one  2 hosts  10.203.1.0/24  since 19")
    assert one.endswith("until `opslib lab down`")
    assert dead.endswith("its owner died; the next start removes it")
    fake.found.clear()
    assert main(["lab", "list"]) == 0
    assert "there is no lab" in capsys.readouterr().out
    assert main(["lab", "inventory"]) == 1


def test_inventory(capsys: Out) -> None:
    assert main(["lab", "inventory"]) == 0
    assert main(["lab", "inventory", "--name", "one", "--user", "ops"]) == 0
    assert capsys.readouterr().out == "/run/lab/inventory.yml\ninventory for ops\n"


def test_ssh(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execvp", lambda _program, argv: started.append(argv))
    main(["lab", "ssh", "lab2", "--name", "one", "--", "systemctl", "--failed"])
    assert started == [["ssh", "-F", "/run/lab/ssh_config", "--", "lab2", "systemctl", "--failed"]]
    assert main(["lab", "ssh", "-oProxyCommand=x"]) == 1
    assert main(["lab", "ssh", "--", "-oProxyCommand=x"]) == 1
    assert "lab one has no host '-oProxyCommand=x'; it has lab1, lab2" in capsys.readouterr().err
    assert len(started) == 1


def test_what_the_lab_cannot_do_is_a_usage_error(
    fake: type[FakeLab], capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_values: object) -> None:
        raise LabError("needs root; run: apt-get install systemd-container")

    monkeypatch.setattr(fake, "start", refuse)
    assert main(["lab", "up"]) == 1
    assert capsys.readouterr().err == "opslib: needs root; run: apt-get install systemd-container\n"
