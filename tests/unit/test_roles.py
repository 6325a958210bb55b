"""The roles agree with the tasks that they call, with their own documents, and with their suites."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from opslib import Inventory, Status, reference, role_build, tasks
from opslib.engines import playbook

ROOT = Path(__file__).parents[2]
ROLES = ROOT / "roles"
UNIT = {"service_unit": "ssh"}
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())
# The variables that are lists of a task's parameters.
LISTS = {
    "maintenance_http_checks": "http_check",
    "maintenance_logrotate": "logrotate",
    "maintenance_retention": "log_retention",
}


def read(role: str, path: str) -> Any:
    return yaml.safe_load((ROLES / role / path).read_text())


def specs(role: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = read(role, "meta/argument_specs.yml")["argument_specs"]
    return found


def options(role: str) -> dict[str, Any]:
    """Return all variables of a role."""
    return {name: option for spec in specs(role).values() for name, option in spec["options"].items()}


def calls(role: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each of our tasks that a role calls, with its arguments."""
    for path in sorted((ROLES / role).glob("*/*.yml")):
        if path.parent.name in ("tasks", "handlers"):
            for block in read(role, f"{path.parent.name}/{path.name}"):
                yield from ((key[15:], args) for key, args in block.items() if key.startswith("opslib.runbook."))


@pytest.mark.parametrize("role", NAMES)
def test_entry_points(role: str) -> None:
    files = {path.stem for path in (ROLES / role / "tasks").glob("*.yml")}
    assert set(specs(role)) == files
    suites = {path.stem.removeprefix("test_") for path in (ROLES / role / "tests").glob("test_*.py")}
    on_hosts = any(tasks.get(task).runs_on == "host" for task, _args in calls(role))
    assert suites == (files - {"main"} if on_hosts else set())  # testinfra looks at hosts


@pytest.mark.parametrize("role", NAMES)
def test_defaults_are_documented(role: str) -> None:
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert read(role, "defaults/main.yml") == documented
    assert [name for name in options(role) if not name.startswith(f"{role}_")] == []
    required = {
        name for spec in specs(role).values() for name, option in spec["options"].items() if "required" in option
    }
    assert required & set(documented) == set()  # or it would always be met


@pytest.mark.parametrize("role", NAMES)
def test_a_variable_is_the_same_in_all_entry_points(role: str) -> None:
    """There is one default for all of them."""
    kinds: dict[str, set[str]] = {}
    for spec in specs(role).values():
        for name, option in spec["options"].items():
            kind = {key: option.get(key) for key in ("type", "elements", "choices", "no_log")}
            kinds.setdefault(f"{name}: kind", set()).add(repr(kind))
            if "default" in option:
                kinds.setdefault(f"{name}: default", set()).add(repr(option["default"]))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


@pytest.mark.parametrize("role", NAMES)
def test_tasks_are_given_parameters_that_they_have(role: str) -> None:
    found = list(calls(role))
    assert found
    for task, args in found:
        assert set(args) <= set(tasks.get(task).parameters()), task


@pytest.mark.parametrize("role", NAMES)
def test_variables_are_used(role: str) -> None:
    text = "".join(path.read_text() for folder in ("tasks", "handlers") for path in (ROLES / role / folder).glob("*"))
    assert set(re.findall(rf"(?<!runbook\.)\b{role}_\w+", text)) == set(options(role))


@pytest.mark.parametrize("role", NAMES)
def test_an_entry_point_reads_all_its_options(role: str) -> None:
    def text(path: str) -> str:
        found = (ROLES / role / path).read_text()
        included = [f"tasks/{name}" for name in re.findall(r"(?:import|include)_tasks: (\S+)", found)]
        included += ["handlers/main.yml"] if "\n  notify:" in found else []
        return found + "".join(map(text, included))

    for entry, spec in specs(role).items():
        assert set(spec["options"]) - set(re.findall(r"\w+", text(f"tasks/{entry}.yml"))) == set(), entry


@pytest.mark.parametrize(("variable", "task"), LISTS.items())
def test_lists_of_parameters_are_the_tasks_own(variable: str, task: str) -> None:
    parameters = reference.of_task(tasks.get(task)).parameters
    given = options("maintenance")[variable]["options"]
    assert list(given) == [each.name for each in parameters]
    for each in parameters:
        option = given[each.name]
        assert (option["type"], option.get("elements")) == (each.type, each.elements), each.name
        assert tuple(option.get("choices", ())) == tuple(each.choices), each.name
        assert bool(option.get("required")) == each.required, each.name
        assert bool(option.get("no_log")) == each.secret, each.name
    (args,) = [args for name, args in calls("maintenance") if name == task]
    assert set(args) == set(given)


@pytest.mark.parametrize(
    ("path", "more", "less"),
    [
        ("health/tasks/all.yml", {"path"}, set()),
        ("scheduler/tasks/providers.yml", set(), set()),
        ("emergency/tasks/outage.yml", set(), {"wait"}),
    ],
)
def test_endpoints_may_have_all_parameters_and_no_others(path: str, more: set[str], less: set[str]) -> None:
    text = (ROLES / path).read_text()
    parameters = set(tasks.get("http_check").parameters())
    (args,) = [args for name, args in calls(path.partition("/")[0]) if name == "http_check"]
    assert set(args) == parameters
    (known,) = re.findall(r"difference\(\[([^]]*)", text)
    assert set(re.findall(r"\w+", known)) == (parameters | more) - less


def test_documents_are_up_to_date() -> None:
    assert role_build.outdated(ROLES) == [], "run: python -m opslib.role_build"
    assert sorted(path.parent.name for path in ROLES.glob("*/README.md")) == NAMES


def test_table() -> None:
    text = role_build.table(
        {
            "main": {"options": {"x_hidden": {}}},
            "one": {
                "short_description": "One: a | b",
                "options": {
                    "x_a": {"type": "list", "elements": "int", "default": [1], "description": ["Some", "C(text)."]},
                    "x_b": {"required": True, "description": "Needed."},
                    "x_d": {"required": True, "description": "From here."},
                },
            },
            "two": {
                "short_description": "Two",
                "options": {
                    "x_b": {"required": True, "description": "Needed."},
                    "x_d": {"description": "To there."},
                    "x_e": {"type": "list", "choices": ["p", "q"], "default": "a|b"},
                    "x_c": {"type": "dict", "options": {"key": {"choices": ["p", "q"], "required": True}}},
                },
            },
        }
    )
    assert text.splitlines() == [
        "| entry point | what it does |",
        "|---|---|",
        "| `one` | One: a \\| b |",
        "| `two` | Two |",
        "",
        "| variable | type | default | used by | what it is |",
        "|---|---|---|---|---|",
        "| `x_a` | list of int | `[1]` | one | Some `text`. |",
        "| `x_b` | str | required | all | Needed. |",
        "| `x_d` | str | required for one | all | `one`: From here. `two`: To there. |",
        "| `x_e` | list of `p` or `q` | `a\\|b` | two |  |",
        "| `x_c` | dict |  | two |  |",
        "",
        "Each of `x_c` has:",
        "",
        "| key | type | what it is |",
        "|---|---|---|",
        "| `key` (required) | `p` or `q` |  |",
    ]


def test_readme_without_its_marks_is_refused(tmp_path: Path) -> None:
    role = tmp_path / "role"
    (role / "meta").mkdir(parents=True)
    (role / "meta" / "argument_specs.yml").write_text("argument_specs: {main: {}, one: {short_description: It}}\n")
    (role / "README.md").write_text("# role\n")
    with pytest.raises(ValueError, match="lacks the line"):
        role_build.write(tmp_path)
    (role / "README.md").write_text(f"# role\n{role_build.BEGIN}\nold\n{role_build.END}\nrest\n")
    assert role_build.write(tmp_path) == [str(role / "README.md")]
    assert role_build.write(tmp_path) == []
    text = (role / "README.md").read_text()
    assert "old" not in text
    assert text.startswith("# role\n")
    assert text.endswith("\nrest\n")


@pytest.mark.parametrize("name", ["daily", "weekly", "monthly", "restart_service"])
@pytest.mark.parametrize("inventory", ["example", "local"])
def test_playbooks_fit_the_inventories(inventory: str, name: str) -> None:
    hosts = Inventory.load(ROOT / "inventories" / inventory)
    with playbook.load(ROOT / "playbooks" / f"{name}.yml", hosts, extra_vars=UNIT) as compiled:
        (play,) = compiled.plays
        assert play.obstacle is None
        for work in compiled.work(play, play.hosts):
            assert work.items
            assert [item for item in work.items if getattr(item, "status", None) is Status.FAILED] == []


@pytest.mark.parametrize("path", sorted(ROLES.glob("*/tests/*.py")), ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_suites_know_nothing_of_us(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert not [name for name in imported if name.startswith("opslib")]
