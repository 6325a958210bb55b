"""The commands that documents and playbooks show can be given: their options, targets and variables are known."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from opslib import Inventory
from opslib.cli.main import main
from support.fake_library import FakeLibrary

ROOT = Path(__file__).parents[2]
DOCUMENTS = [path for path in ROOT.glob("[!.]*/**/*.md") if "tests" not in path.parts]
PLAYBOOKS = {path.stem: path.read_text() for path in ROOT.glob("playbooks/*.yml")}
ROLES = {
    path.parts[-3]: yaml.safe_load(path.read_text())["argument_specs"]
    for path in ROOT.glob("roles/*/meta/argument_specs.yml")
}
OPTIONS = {name for specs in ROLES.values() for spec in specs.values() for name in spec["options"]}
EXAMPLE = "".join(path.read_text() for path in ROOT.glob("inventories/example/group_vars/**/*.yml"))


def commands() -> Iterator[str]:
    """Yield every `opslib run` and `opslib verify` as a reader would type it."""
    for path in (*ROOT.glob("*.md"), *DOCUMENTS, *ROOT.glob("playbooks/*.yml")):
        text = re.sub(r"\\\n", " ", path.read_text())
        yield from re.findall(r"^ *[$#] (opslib (?:run|verify) (?:'[^']*'|[^'\n])+)$", text, re.MULTILINE)


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_can_be_given_as_it_is_shown(command: str) -> None:
    words = shlex.split(command, comments=True)[1:]
    library = FakeLibrary()
    assert main(words, library) == {"run": 0, "verify": 2}[words[0]]
    target, place = library.calls[0][:2]
    role, _, entry = target.partition(":")
    known = OPTIONS | set(re.findall(r"\w+", EXAMPLE))
    if role in ROLES:
        specs = ROLES[role]
        assert not entry or entry in specs
        wrong = {name for name in OPTIONS if name.startswith(f"{role}_")} - set(specs[entry or "main"]["options"])
        known -= wrong if entry else set()
    else:
        known |= set(re.findall(r"\w+", PLAYBOOKS[re.sub(r"^(playbooks/|opslib\.runbook\.)|\.yml$", "", target)]))
    given = Inventory.load("web1,", extra_vars=[extra for extra in place.extra_vars if extra[0] != "@"]).extra_vars
    assert {name for name in given if not name.startswith("ansible_")} <= known


def test_commands_are_found() -> None:
    assert len(set(commands())) > 80
