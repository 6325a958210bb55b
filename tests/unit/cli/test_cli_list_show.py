"""`opslib list`, `opslib show`, `opslib verify`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import opslib
from opslib.cli.library import Library, Place, _variables
from opslib.cli.main import main
from support.fake_library import FakeLibrary

Out = pytest.CaptureFixture[str]


def test_list_names_playbooks_roles_and_tasks_with_one_line_each(capsys: Out) -> None:
    assert main(["list"], FakeLibrary()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Playbooks")
    assert ["opslib.runbook.weekly", "Upkeep"] in [line.split(None, 1) for line in lines]
    assert ["maintenance:weekly", "Once a week"] in [line.split(None, 1) for line in lines]
    for name in opslib.tasks.names():
        row = next(line for line in lines if line.startswith(f"  {name} "))
        assert row.endswith(".")
    told = [line for line in lines if line.startswith("  ") and " " in line.strip()]
    assert len({len(line) - len(line[2:].split(None, 1)[1]) for line in told}) == 1


def test_list_json(capsys: Out) -> None:
    assert main(["list", "--json"], FakeLibrary()) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["playbooks"]["opslib.runbook.weekly"] == "Upkeep"
    assert document["roles"]["service"] == {"restart": "Restart it"}
    assert sorted(document["tasks"]) == list(opslib.tasks.names())
    assert all(document["tasks"].values())


@pytest.mark.parametrize("name", opslib.tasks.names())
def test_show_a_task(name: str, capsys: Out) -> None:
    assert main(["show", name], FakeLibrary()) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{name}  task\n")
    for parameter, spec in opslib.tasks.get(name).parameters().items():
        row = next(line for line in text.splitlines() if line.startswith(f"  {parameter}  "))
        assert ("required" in row.partition(parameter)[2]) == spec.required
        assert spec.help in text
    assert f"opslib task {name}" in text
    assert f"opslib.runbook.{name}:" in text


def test_the_examples_shown_are_accepted(capsys: Out) -> None:
    """What `show` prints as an example is a command line that this program takes."""
    import shlex

    for name in opslib.tasks.names():
        main(["show", name], FakeLibrary())
        row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(f"  opslib task {name}"))
        words = [word.replace("INVENTORY", "x") for word in shlex.split(row)]
        library = FakeLibrary()
        code = main(words[1:], library)
        said = capsys.readouterr().err
        assert code == 0 or f"opslib: {name}: " in said, said  # examples may contradict each other, but must parse


def test_show_a_role(capsys: Out) -> None:
    assert main(["show", "service:restart"], FakeLibrary()) == 0
    text = capsys.readouterr().out
    assert "service:restart  role\n  Restart it\n" in text
    assert "  service_unit  str, required\n      The unit.\n" in text
    assert "  service_kinds  list of a | b\n      Of what.\n" in text
    assert "opslib run service:restart -i INVENTORY -e service_unit=... --check" in text


def test_show_what_is_both_a_task_and_a_role(capsys: Out) -> None:
    assert main(["show", "service"], FakeLibrary()) == 0
    text = capsys.readouterr().out
    assert text.index("service  task") < text.index("service:restart  role")


def test_show_a_playbook(capsys: Out) -> None:
    assert main(["show", "opslib.runbook.weekly"], FakeLibrary()) == 0
    text = capsys.readouterr().out
    assert text.startswith("opslib.runbook.weekly  playbook\n  Upkeep\n\n  One host after the other.\n")
    assert "\n  maintenance:weekly\n" in text
    assert text.endswith("Examples\n  opslib run opslib.runbook.weekly -i production\n")
    assert main(["show", "opslib.runbook.bare"], FakeLibrary()) == 0
    assert "  opslib run opslib.runbook.bare -i INVENTORY --check\n" in capsys.readouterr().out


def test_show_asks_for_what_may_be_meant(capsys: Out) -> None:
    assert main(["show", "weekly"], FakeLibrary()) == 1
    assert "did you mean opslib.runbook.weekly or maintenance:weekly?" in capsys.readouterr().err


def test_every_playbook_says_what_it_runs_and_how_it_is_called() -> None:
    """Installed, the file `playbooks/weekly.yml` is not there: examples name what is."""
    folder = Path(__file__).parents[3] / "playbooks"
    found = Library().playbooks()
    assert [playbook.name for playbook in found] == [f"opslib.runbook.{path.stem}" for path in sorted(folder.iterdir())]
    for playbook in found:
        assert playbook.summary
        assert playbook.roles or playbook.name == "opslib.runbook.fetch_evidence"
        assert all(row.startswith(f"opslib run {playbook.name} -i ") for row in playbook.examples), playbook.examples
        assert "opslib run" not in playbook.description
    status = next(playbook for playbook in found if playbook.name == "opslib.runbook.status")
    assert {"frontend:status", "providers:status"} <= set(status.roles)  # the one in a block, the other not


def test_argument_specs_of_any_shape_are_read() -> None:
    specs = {
        "a": {"type": "list", "elements": "dict", "description": ["One C(two).", "Three."], "options": {"b": {}}},
        "c": None,
        "d": {"choices": ["x", 1], "default": 0, "required": True, "description": "See L(this,https://example.org)."},
        3: {"options": "nonsense", "choices": "no"},
    }
    a, c, d, three = _variables(specs)  # type: ignore[arg-type]
    assert (a.type, a.help, [inner.name for inner in a.inner]) == ("list of dict", "One two. Three.", ["b"])
    assert (c.name, c.type) == ("c", "str")
    assert (d.choices, d.default, d.required, d.help) == (["x", "1"], 0, True, "See this https://example.org.")
    assert (three.name, three.inner, three.choices) == ("3", (), ())


def test_verify(capsys: Out, tmp_path: Path) -> None:
    library = FakeLibrary()
    junit = str(tmp_path / "v.xml")
    words = ["verify", "service:restart", "-i", "x", "--limit", "web1", "-e", "a=b", "-b", "--junit", junit]
    assert main(words, library) == 2
    place = Place(inventory=("x",), limit="web1", extra_vars=("a=b", '{"ansible_become": true}'))
    assert library.calls == [("service:restart", place, junit)]
    assert capsys.readouterr().out == "1 failed \\x1b[31mred\n"


def test_verify_refuses_a_report_that_cannot_be_written(capsys: Out) -> None:
    library = FakeLibrary()
    assert main(["verify", "service", "-i", "x", "--junit", "/no/such/folder/v.xml"], library) == 1
    assert library.calls == []
