"""The generated files of the collection: up to date, and as Ansible wants them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from opslib import collection_build, reference, tasks
from opslib.engines import environment
from opslib.host.params import Boolean, Choice, Duration, ListOf, Mapping, Text
from opslib.host.params import Path as PathKind
from opslib.host.task import Task, param

ROOT = Path(__file__).parents[3]

FOLDER = Path(__file__).parents[3] / "opslib" / "collection"


class Example(Task, name="example"):
    """Do this: an example, and more.

    It takes `root` and `what(ever)`, as in example(1).

    data: `found`, a list.
    """

    root: str = param(PathKind(), "Where `root` is.")
    word: str = param(Choice("a", "b"), "A word.", default="a")
    words: list[str] = param(ListOf(Choice("x", "y")), "Words.", default=[])
    age: float = param(Duration(), "How old.", default="30d", example="1w")
    wait: float = param(Duration(), "How long.", default=5)
    go: bool = param(Boolean(), "Whether.", default="no")
    more: dict[str, Any] = param(Mapping(), "More.", default=None)
    token: str = param(Text(secret=True), "Secret.", default=None)


def stub(path: Path) -> dict[str, Any]:
    """Return the documents of a documentation stub."""
    tree = ast.parse(path.read_text())
    values = {
        node.targets[0].id: yaml.safe_load(ast.literal_eval(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert set(values) == {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    return values


def test_files_are_up_to_date() -> None:
    assert collection_build.outdated(FOLDER) == [], "run: python -m opslib.collection_build"


def test_writing_mends_what_is_out_of_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = collection_build.files()
    monkeypatch.setattr(collection_build, "files", lambda: files)  # making them takes seconds
    written = collection_build.write(tmp_path)
    assert sorted(written) == sorted(files)
    assert collection_build.outdated(tmp_path) == []
    (tmp_path / "plugins/action/service.py").write_text("# touched")
    (tmp_path / "plugins/modules/log_size.py").unlink()
    (tmp_path / "plugins/modules/gone_task.py").write_text("# no longer a task")
    wrong = ["plugins/action/service.py", "plugins/modules/gone_task.py", "plugins/modules/log_size.py"]
    assert collection_build.outdated(tmp_path) == wrong
    assert collection_build.write(tmp_path) == wrong
    assert collection_build.outdated(tmp_path) == []


def test_reference_of_a_task() -> None:
    found = reference.of_task(Example)
    assert found.summary == "Do this: an example, and more."
    assert found.paragraphs == ["It takes `root` and `what(ever)`, as in example(1)."]
    assert found.data == "`found`, a list."
    by_name = {each.name: each for each in found.parameters}
    assert (by_name["root"].required, by_name["root"].type, by_name["root"].default) == (True, "path", None)
    assert by_name["word"].choices == ("a", "b")
    assert (by_name["words"].type, by_name["words"].elements, by_name["words"].choices) == ("list", "str", ("x", "y"))
    assert (by_name["age"].default, by_name["wait"].default, by_name["go"].default) == ("30d", "5", False)
    assert (by_name["more"].type, by_name["more"].default, by_name["more"].required) == ("dict", None, False)
    assert by_name["token"].secret
    assert found.shortest == {"root": "/srv/app"}
    assert found.example == {"root": "/srv/app", "age": "1w"}


def test_examples_do_not_contradict_each_other() -> None:
    """They are put together from examples of single parameters, which may exclude one another."""

    class Choosy(Task, name="choosy"):
        """Choose."""

        one: str = param(Text(), "One.", default=None, example="1")
        two: str = param(Text(), "Two.", default=None, example="2")
        three: str = param(Text(), "Three.", default=None, example="3")

        def check(self) -> None:
            if (self.one is None) == (self.two is None):
                self.refuse("give one of them")

    found = reference.of_task(Choosy)
    assert found.shortest == {"one": "1"}
    assert found.example == {"one": "1", "three": "3"}


def test_stub_of_a_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tasks, "names", lambda: ("example",))
    monkeypatch.setattr(tasks, "get", lambda _name: Example)
    collection_build.write(tmp_path)
    documents = stub(tmp_path / "plugins/modules/example.py")
    body = documents["DOCUMENTATION"]
    assert body["short_description"] == "Do this: an example, and more"
    assert body["description"] == ["It takes O(root) and 'what(ever)', as in example(1)."]
    assert body["options"]["word"] == {"description": ["A word."], "type": "str", "default": "a", "choices": ["a", "b"]}
    assert body["options"]["root"]["required"] is True
    assert body["options"]["go"] == {"description": ["Whether."], "type": "bool", "default": False}
    assert documents["EXAMPLES"] == [
        {"name": "Do this", "opslib.runbook.example": {"root": "/srv/app"}},
        {"name": "Do this, with parameters", "opslib.runbook.example": {"root": "/srv/app", "age": "1w"}},
    ]
    assert documents["RETURN"]["data"]["description"] == "C(found), a list."


@pytest.mark.parametrize("name", tasks.names())
def test_documents_agree_with_the_task(name: str) -> None:
    """What the documents say is taken by the task: the examples, and every default."""
    documents = stub(FOLDER / f"plugins/modules/{name}.py")
    task = tasks.get(name)
    options = documents["DOCUMENTATION"].get("options", {})
    assert list(options) == list(task.parameters())
    for option in options.values():
        assert all(line.endswith(".") for line in option["description"]), option["description"]
        assert not {"required", "default"} <= set(option)
        if option["type"] == "list":
            assert "elements" in option
    for example in documents["EXAMPLES"]:
        args = example[f"opslib.runbook.{name}"] or {}
        made = task(**args)
        for key, option in options.items():
            if key not in args and "default" in option:
                assert getattr(task(**{**args, key: option["default"]}), key) == getattr(made, key)


def test_ansible_doc_shows_them(tmp_path: Path) -> None:
    """ansible-doc reads every stub, fragments included, without a complaint."""
    names = [f"opslib.runbook.{name}" for name in tasks.names()]
    library = os.pathsep.join(environment.offer_collection(tmp_path))
    program = Path(sys.executable).with_name("ansible-doc")
    done = subprocess.run(
        [program, "--json", *names],
        env={**os.environ, "PYTHONPATH": library, "ANSIBLE_LOCAL_TEMP": str(tmp_path), "LC_ALL": "C.UTF-8"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "[WARNING]" not in done.stderr
    found = json.loads(done.stdout)
    assert sorted(found) == names
    assert {
        name for name, each in found.items() if each["doc"]["attributes"]["check_mode"]["support"] != "full"
    } == set()
    assert {name for name, each in found.items() if each["doc"]["has_action"] is not True} == set()


def test_action_plugins_only_name_their_task() -> None:
    for path in (FOLDER / "plugins/action").glob("*.py"):
        body = ast.parse(path.read_text()).body
        assert [type(node) for node in body] == [ast.ImportFrom, ast.ImportFrom, ast.ClassDef]


def test_runtime_lists_every_task() -> None:
    runtime = yaml.safe_load((FOLDER / "meta/runtime.yml").read_text())
    assert runtime["action_groups"]["all"] == sorted(tasks.names())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = next(each for each in project["dependencies"] if each.startswith("ansible-core"))
    assert f"ansible-core{runtime['requires_ansible']}" == wanted


def test_galaxy_agrees_with_the_project() -> None:
    galaxy = yaml.safe_load((FOLDER / "galaxy.yml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (galaxy["namespace"], galaxy["name"]) == ("opslib", "runbook")
    assert (galaxy["version"], galaxy["license"]) == (project["version"], [project["license"]])
    assert (FOLDER / galaxy["readme"]).is_file()


def test_every_plugin_has_its_licence() -> None:
    for path in FOLDER.rglob("*.py"):
        assert re.search(r"^# GNU General Public License v3\.0\+", path.read_text(), re.MULTILINE), path
