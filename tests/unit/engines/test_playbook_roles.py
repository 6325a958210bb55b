"""Roles as sources: which there are, how they are found, and the playbook that runs one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from opslib.engines import roles
from opslib.engines.playbook import load
from opslib.errors import PlaybookError
from opslib.inventory import Inventory
from opslib.step import Step
from support import oracle

TASK = "opslib.runbook.http_check: {url: \"http://h/{{ u | default('none') }}\"}"
FILES = {
    "roles/web/tasks/main.yml": f"- {{name: x, {TASK}}}\n",
    "roles/web/tasks/deploy.yml": f"- {{name: y, {TASK}, notify: h}}\n- {{name: z, include_role: {{name: base}}}}\n",
    "roles/web/tasks/_part.yml": "[]\n",
    "roles/web/handlers/main.yml": f"- {{name: h, {TASK}}}\n",
    "roles/web/meta/argument_specs.yml": """
        argument_specs:
          deploy:
            short_description: Bring out a version
            description: [First., Second.]
            options: {u: {type: str, default: spec}}
          main:
            short_description: Do nothing much
          gone: {short_description: Has no tasks}
    """,
    "roles/base/tasks/main.yml": f"- {{name: b, {TASK}}}\n",
    "elsewhere/other/tasks/main.yml": f"- {{name: o, {TASK}}}\n",
    "hosts.ini": "web1\n",
}


@pytest.fixture
def folder(tmp_path: Path, collections: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with roles."""
    (tmp_path / "collections").symlink_to(collections)
    oracle.write(tmp_path, FILES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(source: str | Path, **options: Any) -> list[str]:
    with load(source, Inventory.load("hosts.ini"), **options) as compiled:
        (play,) = compiled.plays
        assert play.obstacle is None
        assert play.source.is_file()
        (work,) = compiled.work(play, play.hosts)
    assert not play.source.exists() or play.source.is_relative_to(Path.cwd())
    return [item.name for item in work.items if isinstance(item, Step)]


@pytest.mark.parametrize(
    ("source", "steps"),
    [
        ("web", ["web : x"]),
        ("web:main", ["web : x"]),
        ("web:deploy", ["web : y", "base : b", "web : h"]),
        ("./roles/web:deploy", ["web : y", "base : b", "web : h"]),
        ("roles/web", ["web : x"]),
        ("elsewhere/other", ["other : o"]),
        ("roles/web/", ["web : x"]),
    ],
)
def test_roles(folder: Path, source: str, steps: list[str]) -> None:
    assert names(source) == steps


def test_a_role_gets_extra_variables_and_its_play_has_a_name(folder: Path) -> None:
    with load("web:deploy", Inventory.load("hosts.ini"), extra_vars={"u": "v"}) as compiled:
        (play,) = compiled.plays
        assert (play.name, play.hosts) == ("Run web:deploy", ("web1",))
        step = compiled.work(play, play.hosts)[0].items[1]
        assert isinstance(step, Step)
        assert step.task.args()["url"] == "http://h/v"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("wbe", "there is no playbook and no role 'wbe'; did you mean web"),
        ("zzzz", "there are the roles base, maintenance, web"),
        ("web:deplyo", "role web has no entry point 'deplyo'; there are web:deploy, web:main"),
        ("web:_part", "has no entry point '_part'"),
        ("web:../main", "has no entry point"),
        ("elsewhere/nosuch", "there is no role in the folder 'elsewhere/nosuch'"),
        ("elsewhere", "there is no playbook and no role 'elsewhere'"),
        ("roles", "there is no playbook and no role 'roles'"),
        ("hosts.ymll", "there is no playbook and no role"),
        ("nosuch.yml", "there is no playbook 'nosuch.yml'"),
        ("nosuch/x.yml", "there is no folder"),
        ("playbooks/weekly.yml", "the one that is installed is called opslib.runbook.weekly"),
        ("weekly", "did you mean opslib.runbook.weekly?"),
        ("opslib.runbook.wekly", "did you mean opslib.runbook.weekly"),
        ("ns.coll.nosuch", "there is no playbook and no role 'ns.coll.nosuch'"),
        ("a.b", "there is no playbook and no role"),
        ("-oProxyCommand=x", "there is no playbook and no role"),
        ("$(id)", "there is no playbook and no role"),
        ("../x", "there is no role in the folder"),
        ("", "is no name"),
        (" ", "is no name"),
        ("a\nb", "is no name"),
        ("a\0b", "is no name"),
        ("\x1b[31m", "is no name"),
        ("\udcff", "is no name"),
        ("x" * 5000, "is no name"),
        (None, "is no name"),
        (5, "is no name"),
        (["web"], "is no name"),
    ],
)
def test_what_is_not_there(folder: Path, source: Any, said: str) -> None:
    inventory = Inventory.load("hosts.ini")
    with pytest.raises(PlaybookError) as caught, load(source, inventory):
        pass
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_misspelt_playbook_is_told_with_its_neighbours(folder: Path) -> None:
    (folder / "weekly.yml").write_text("[]\n")
    with pytest.raises(PlaybookError, match=r"did you mean weekly\.yml"):
        names("wekly.yml")


def test_a_playbook_wins_over_a_role_of_its_name(folder: Path) -> None:
    (folder / "base").write_text(f"- {{hosts: all, gather_facts: false, tasks: [{{name: file, {TASK}}}]}}\n")
    assert names("base") == ["file"]


def test_the_playbook_of_a_role(folder: Path) -> None:
    (play,) = yaml.safe_load(roles.playbook_for_role("web", "deploy", hosts="web"))
    assert play == {
        "name": "Run web:deploy",
        "hosts": "web",
        "gather_facts": False,
        "tasks": [{"name": "Run web:deploy", "ansible.builtin.import_role": {"name": "web", "tasks_from": "deploy"}}],
    }
    (play,) = yaml.safe_load(roles.playbook_for_role("web"))
    assert play["tasks"][0]["ansible.builtin.import_role"] == {"name": "web"}


def test_a_role_without_main_needs_an_entry_point(folder: Path) -> None:
    (folder / "roles/web/tasks/main.yml").unlink()
    with pytest.raises(PlaybookError, match="role web needs an entry point; there are web:deploy"):
        names("web")


def test_listing_roles(folder: Path) -> None:
    found = {role.name: role for role in roles.list_roles()}
    web = found["web"]
    assert web.path == folder / "roles" / "web"
    assert [(entry.name, entry.summary) for entry in web.entries] == [
        ("deploy", "Bring out a version"),
        ("main", "Do nothing much"),
    ]
    assert web.entries[0].description == ("First.", "Second.")
    assert web.entries[0].options == {"u": {"type": "str", "default": "spec"}}
    assert [entry.name for entry in found["base"].entries] == ["main"]


@pytest.mark.parametrize("content", ["a: [\n", "- a\n", "argument_specs: 5\n", "argument_specs: {main: 5}\n"])
def test_a_specification_that_is_none_is_named(folder: Path, content: str) -> None:
    (folder / "roles/web/meta/argument_specs.yml").write_text(content)
    with pytest.raises(PlaybookError, match=r"argument_specs\.yml is no argument specification"):
        roles.list_roles()


def test_roles_and_playbooks_of_collections(folder: Path) -> None:
    assert names("opslib.runbook.maintenance") == ["opslib.runbook.maintenance : it"]
    assert names("maintenance") == ["opslib.runbook.maintenance : it"]
    assert names("maintenance:main") == ["opslib.runbook.maintenance : it"]
    assert [role.name for role in roles.list_roles()] == ["base", "maintenance", "web"]
    with load("opslib.runbook.weekly", Inventory.load("hosts.ini")) as compiled:
        assert [play.name for play in compiled.plays] == ["Weekly"]
    with pytest.raises(PlaybookError, match="did you mean maintenance"):
        names("maintenence")


def test_a_role_of_the_project_wins_over_ours(folder: Path) -> None:
    oracle.write(folder, {"roles/maintenance/tasks/main.yml": f"- {{name: own, {TASK}}}\n"})
    assert names("maintenance") == ["maintenance : own"]
