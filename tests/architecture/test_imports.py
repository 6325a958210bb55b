"""What importing costs, and that modules export what they say."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from support.sources import imports, modules

HEAVY = {
    "ansible",
    "ansible_runner",
    "apprise",
    "boto3",
    "botocore",
    "click",
    "cryptography",
    "fabric",
    "google",
    "invoke",
    "jinja2",
    "matplotlib",
    "numpy",
    "paramiko",
    "pydantic",
    "pytest",
    "requests",
    "rich",
    "testinfra",
    "typer",
    "yaml",
}


def loaded_by(script: str) -> set[str]:
    """Return the top-level names of what a script loads in a Python of its own."""
    tail = "\nimport sys as s, json as j; print(j.dumps(sorted({n.split('.')[0] for n in s.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", script + tail],
        stdout=subprocess.PIPE,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "script",
    [
        "import opslib",
        "import opslib; opslib.Fleet, opslib.Target, opslib.Step, opslib.Become, opslib.Report, opslib.Status",
        "import opslib; opslib.errors, opslib.events",
        "from opslib import tasks; [tasks.get(name) for name in tasks.names()]",
        "from opslib.carriers import payload; from opslib import tasks; "
        "payload.encode(payload.Job(steps=(), tasks=[tasks.disk_usage]))",
        "import opslib; opslib.Fleet([opslib.Target(name='here', carrier='local')])"
        ".run([opslib.tasks.disk_usage(paths=['/'])])",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(script):
    """A script that works on this machine never loads ssh, Ansible or a terminal library."""
    assert not loaded_by(script) & HEAVY


def test_the_command_line_starts_light():
    """Help and completion come before Ansible and ssh."""
    assert not loaded_by("import opslib.cli.main") & (HEAVY - {"click", "rich", "typer"})


def test_looking_at_the_names_loads_nothing():
    """dir() and an unknown name cost nothing."""
    script = "import opslib; dir(opslib); assert not hasattr(opslib, 'nonsense')"
    assert loaded_by(script) == loaded_by("import opslib, importlib")


CHECK = """
import importlib, json, sys
wrong = {}
for name in json.loads(sys.argv[1]):
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", ())
    missing = [each for each in exported if not hasattr(module, each)]
    if missing or len(set(exported)) < len(exported):
        wrong[name] = missing or "one stands there twice"
print(json.dumps(wrong))
"""
NOT_MODULES = ("opslib.host.boot", "opslib.collection")  # a program's beginning; what only Ansible loads


def importable() -> list[str]:
    """Return the modules that can be imported like any other."""
    return [name for name in modules() if not name.startswith(NOT_MODULES)]


def test_every_module_can_be_imported_and_exports_what_it_says():
    """Each name in `__all__` exists, and stands there once."""
    done = subprocess.run(
        [sys.executable, "-c", CHECK, json.dumps(importable())],
        stdout=subprocess.PIPE,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path), "LC_ALL": "C.UTF-8"},
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {}


def exported(name: str) -> set[str] | None:
    """Return the names in a module's `__all__`, None when it has none."""
    for node in modules()[name].body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return set(ast.literal_eval(node.value))
    return None


@pytest.mark.parametrize("name", [name for name in modules() if not name.startswith("opslib.cli")])
def test_modules_use_only_what_others_export(name):
    """A function or class that another module does not export is that module's own business; constants are not."""
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in modules():
            names = exported(node.module)
            for alias in node.names:
                if names is not None and not alias.name.isupper() and f"{node.module}.{alias.name}" not in modules():
                    assert alias.name in names, f"{name}:{node.lineno} takes {alias.name} from {node.module}"


def test_the_package_exports_what_it_loads():
    """The lazy names, the typed ones and `__all__` are the same."""
    import opslib

    typed = {
        alias.asname or alias.name
        for node in modules()["opslib"].body
        if isinstance(node, ast.If)
        for part in node.body
        if isinstance(part, ast.ImportFrom)
        for alias in part.names
    }
    assert set(opslib.__all__) == typed == {*opslib._HOMES, *opslib._MODULES}
    for name in opslib.__all__:
        assert getattr(opslib, name) is not None
    assert {each.module for each in imports("opslib") if not each.typing_only} <= {"__future__", "importlib", "typing"}
