"""The map of the runbooks: complete, and true to what there is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from opslib import runbook_build, tasks
from opslib.cli.main import COMMANDS, main
from opslib.engines.roles import list_roles
from opslib.runbook_map import Section, State, headings, runbook_maps

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BESIDE = ROOT.parent / "shared" / "runbooks"
MAPS = runbook_maps()
SECTIONS = [section for each in MAPS for section in each.sections]


def texts() -> list[str]:
    """Return the runbooks: those in the folder that OPSLIB_RUNBOOKS names, or beside the checkout, if there are any."""
    folder = Path(os.environ.get("OPSLIB_RUNBOOKS", BESIDE))
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*"))] if folder.is_dir() else []


def kept() -> list[list[tuple[str, ...]]]:
    """Return the headings of the runbooks as they were when the map was made."""
    blocks = (HERE / "data" / "runbook_headings.txt").read_text(encoding="utf-8").strip().split("\n\n")
    return [[tuple(line.split(" / ")) for line in block.splitlines()] for block in blocks]


def mapped() -> list[list[tuple[str, ...]]]:
    """Return the headings in the map."""
    return [[(each.title,), *(section.heading for section in each.sections)] for each in MAPS]


def test_every_heading_is_in_the_map() -> None:
    assert mapped() == kept()
    given = [headings(text) for text in texts()]
    assert given in ([], kept())


def test_headings_are_read_as_markdown_has_them() -> None:
    text = "# Title\n\n## A b\n```bash\n# no heading\n```\n### C\n#### D\n## E\n#not one\n  ```\n## nor this\n  ```\n"
    assert headings(text) == [("Title",), ("A b",), ("A b", "C"), ("A b", "C", "D"), ("E",)]


def test_what_is_named_exists() -> None:
    entries = {f"{role.name}:{entry.name}" for role in list_roles() for entry in role.entries}
    for section in SECTIONS:
        assert set(section.roles) <= entries, section.heading
        assert set(section.tasks) <= set(tasks.names()), section.heading
        for command in section.commands:
            assert command.split()[0] == "opslib"
            assert command.split()[1] in COMMANDS, section.heading


def test_states_follow_from_what_is_said() -> None:
    for section in SECTIONS:
        by = bool(section.roles or section.tasks or section.commands)
        if section.holds_others:
            assert not by
            assert not section.missing + section.human
            continue
        assert by or section.missing or section.human, section.heading
        expected = {(True, False): "done", (True, True): "partly", (False, True): "missing", (False, False): "human"}
        assert section.state.value == expected[by, bool(section.missing)]
    for each in MAPS:
        assert sum(each.count(state) for state in State) == sum(not section.holds_others for section in each.sections)


def state_of(*heading: str) -> State:
    return next(section.state for section in MAPS[0].sections if section.heading == heading)


def test_what_holds_others_is_as_they_are() -> None:
    assert state_of("Contact Information") is State.HUMAN
    for each in MAPS:
        for section in each.sections:
            below = [
                other.state
                for other in each.sections
                if other.heading[: len(section.heading)] == section.heading and not other.holds_others
            ]
            if section.holds_others and len(set(below) - {State.HUMAN}) > 1:
                assert section.state is State.PARTLY


def test_the_command_prints_every_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runbook", "map"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == len(SECTIONS) + 2 + 1
    assert all(section.heading[-1] in out for section in SECTIONS)
    assert "opslib logs tail" in out
    assert "human: people call people" in out
    assert main(["runbook", "map", "--missing"]) == 0
    assert "Escalation Path" not in capsys.readouterr().out


def test_json_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runbook", "map", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["title"] for row in rows] == [each.title for each in MAPS]
    found = [section for row in rows for section in row["sections"]]
    assert [tuple(section["heading"]) for section in found] == [section.heading for section in SECTIONS]
    assert set(found[0]) == {"heading", "state", "roles", "tasks", "commands", "missing", "human"}
    assert main(["runbook", "map", "--json", "--missing"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {section["state"] for row in rows for section in row["sections"]} <= {"missing", "partly"}


README = ROOT / "README.md"


def test_the_readme_has_the_same(tmp_path: Path) -> None:
    assert not runbook_build.outdated(README), "run: python -m opslib.runbook_build"
    copy = tmp_path / "README.md"
    copy.write_text(f"before\n{runbook_build.BEGIN}\nold\n{runbook_build.END}\nafter\n")
    assert runbook_build.write(copy)
    assert not runbook_build.write(copy)
    text = copy.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    roles = {name.partition(":")[0] for section in SECTIONS for name in section.roles}
    assert all(f"| `{role}` |" in text for role in roles)
    copy.write_text("no marks")
    with pytest.raises(ValueError, match="lacks the line"):
        runbook_build.write(copy)


def test_a_section_is_immutable() -> None:
    with pytest.raises(AttributeError):
        SECTIONS[0].state = State.DONE  # type: ignore[misc]
    assert isinstance(SECTIONS[0], Section)
