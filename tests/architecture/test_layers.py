"""Who may import whom, and what the library never does."""

from __future__ import annotations

import ast
import re
import sys

import pytest

from support.sources import imports, modules

# From the bottom to the top: a module imports those of its own layer and of layers below it.
LAYERS = [
    {"opslib.host", "opslib"},
    {
        "opslib.errors",
        "opslib.result",
        "opslib.events",
        "opslib.step",
        "opslib.target",
        "opslib.log_entry",
        "opslib.result_file",
    },
    {"opslib.tasks", "opslib.reference", "opslib.connection", "opslib.openssh", "opslib.carriers", "opslib.cloud"},
    {"opslib.engines.ansible_core"},
    {"opslib.inventory"},
    {"opslib.engines"},
    {
        "opslib.fleet",
        "opslib.live_logs",
        "opslib.run",
        "opslib.runbook_lint",
        "opslib.runbook_map",
        "opslib.verify",
        "opslib.verify_fixtures",
    }
    | {"opslib.verify_reach"},
    {"opslib.output", "opslib.lab", "opslib.collection_build", "opslib.runbook_build"},
    {"opslib.collection", "opslib.cli"},
]
# Beside the layers: these know nothing of the library but what they need.
ONLY = {
    "opslib.host": {"opslib.host"},
    "opslib.output": {"opslib.output", "opslib.result", "opslib.events", "opslib.errors", "opslib.log_entry"},
    "opslib.lab": {"opslib.lab", "opslib.errors"},
    "opslib.errors": {"opslib.host.params", "opslib.result"},
}
# The only places where these may be imported.
HOMES = {
    "fabric": {"opslib.carriers.ssh"},
    "paramiko": {"opslib.carriers.ssh"},
    "invoke": {"opslib.carriers.ssh"},
    "ansible": {"opslib.engines.ansible_core", "opslib.collection"},
    "ansible_collections": {"opslib.collection"},
    "ansible_runner": {"opslib.engines.runner"},
    "boto3": {"opslib.cloud.aws"},
    "botocore": {"opslib.cloud.aws"},
    "google": {"opslib.cloud.gcp"},
    "requests": {"opslib.cloud"},
    "pydantic": {"opslib.cloud"},
    "apprise": {"opslib.cloud.notifications"},
    "docker": {"opslib.cloud.images"},
    "click": {"opslib.cli"},
    "typer": {"opslib.cli"},
    "rich": {"opslib.cli"},
    "testinfra": {"opslib.verify", "opslib.verify_fixtures"},
    "pytest": {"opslib.verify", "opslib.verify_fixtures", "opslib.lab.pytest_plugin"},
}
# Programs of their own, which the library only starts.
PROGRAMS = {"opslib.host.boot", "opslib.engines.guard", "opslib.cloud.worker"}


def within(name: str, homes: set[str]) -> bool:
    """Whether a module is one of these or lies below one."""
    return any(name == home or (home != "opslib" and name.startswith(home + ".")) for home in homes)


def layer(name: str) -> int:
    """Return a module's layer: that of the longest name it lies below."""
    found = [(len(home), number) for number, homes in enumerate(LAYERS) for home in homes if within(name, {home})]
    assert found, f"{name} belongs to no layer; say to which"
    return max(found)[1]


@pytest.mark.parametrize("name", modules())
def test_lower_layers_never_import_higher_ones(name):
    """Not even inside a function; only type checkers may look up."""
    for each in imports(name):
        if each.module.startswith("opslib") and not each.typing_only:
            assert layer(each.module) <= layer(name), f"{name}:{each.line} imports {each.module}"


@pytest.mark.parametrize("part", ONLY)
def test_parts_that_know_little_of_the_rest(part):
    """What runs on targets knows nothing else; renderers know results; the lab knows nothing of the library."""
    for name in modules():
        if within(name, {part}):
            for each in imports(name):
                if each.module.split(".")[0] == "opslib":
                    assert within(each.module, ONLY[part]), f"{name}:{each.line} imports {each.module}"


@pytest.mark.parametrize("top", ["opslib.cli", "opslib.collection"])
def test_nobody_imports_the_top(top):
    """The command line and the collection are users of the library."""
    for name in modules():
        if not within(name, {top}):
            for each in imports(name):
                assert not within(each.module, {top}), f"{name}:{each.line} imports {each.module}"


def test_there_is_no_circle():
    """Leaving out type checkers and functions, modules can be put into an order in which each comes after its imports."""
    above: dict[str, set[str]] = {}
    for name, tree in modules().items():
        inside = {
            node.lineno
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        above[name] = {
            each.module
            for each in imports(name)
            if each.module in modules() and each.module not in ("opslib", name)
            if not each.typing_only and each.line not in inside
        }
    while above:
        free = {name for name, needs in above.items() if not needs & set(above)}
        assert free, f"these import each other in a circle: {sorted(above)}"
        above = {name: needs for name, needs in above.items() if name not in free}


@pytest.mark.parametrize("foreign", HOMES)
def test_foreign_libraries_have_one_home(foreign):
    """Each big dependency is imported in one place, so that it can be replaced there."""
    users = {name for name in modules() for each in imports(name) if each.module.split(".")[0] == foreign}
    assert all(within(name, HOMES[foreign]) for name in users), f"{foreign} is imported by {sorted(users)}"


def test_what_is_shipped_imports_the_standard_library_only():
    """A target has nothing else."""
    for name in modules():
        if within(name, {"opslib.host"}):
            for each in imports(name):
                top = each.module.split(".")[0]
                assert top == "opslib" or top in sys.stdlib_module_names, f"{name}:{each.line} imports {each.module}"


def calls(tree: ast.Module) -> list[tuple[str, int]]:
    """Return the names of all functions that are called, with lines."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found.append((ast.unparse(node.func), node.lineno))
    return found


FORBIDDEN = {
    "print",
    "input",
    "exit",
    "quit",
    "sys.exit",
    "os._exit",
    "os.abort",
    "sys.stdout.write",
    "sys.stderr.write",
    "signal.signal",
    "signal.set_wakeup_fd",
    "os.chdir",
    "os.umask",
    "locale.setlocale",
    "logging.basicConfig",
    "asyncio.run",
    "os.system",
    "os.popen",
    "eval",
    "exec",
    "pickle.loads",
}
ON_THE_TARGET = {"os._exit", "os.chdir", "signal.signal"}  # in children that it has forked


@pytest.mark.parametrize("name", [name for name in modules() if not within(name, {"opslib.cli", *PROGRAMS})])
def test_the_library_is_a_guest_in_its_process(name):
    """It prints nothing, ends nothing, and changes no setting that belongs to the whole process."""
    for called, line in calls(modules()[name]):
        allowed = called in ON_THE_TARGET and within(name, {"opslib.host"})
        assert called not in FORBIDDEN or allowed, f"{name}:{line} calls {called}"


@pytest.mark.parametrize("name", modules())
def test_no_shell_is_started(name):
    """Programs get their arguments as a list."""
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            assert isinstance(node.value, ast.Constant) and node.value.value is False, f"{name}:{node.value.lineno}"


CHANGES = {"append", "add", "update", "pop", "popitem", "clear", "extend", "insert", "remove", "setdefault", "discard"}


def mutable(value: ast.AST | None) -> bool:
    """Whether an expression makes a list, mapping or set."""
    if isinstance(value, ast.Call):
        name = ast.unparse(value.func).rpartition(".")[2]
        return name in {"list", "dict", "set", "defaultdict", "OrderedDict", "Counter", "deque", "bytearray"}
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


@pytest.mark.parametrize("name", modules())
def test_modules_hold_no_state(name):
    """What changes belongs to an object; a module's lists and mappings are constants that nobody changes."""
    tree = modules()[name]
    constants = {"__all__"}
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and mutable(node.value):
                assert re.fullmatch(r"_?[A-Z][A-Z0-9_]*|__all__", target.id), f"{name}:{node.lineno} {target.id}"
                constants.add(target.id)
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Global), f"{name}:{node.lineno} changes a global"
        changed = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            changed = node.func.value
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
            targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
            changed = next((each.value for each in targets if isinstance(each, ast.Subscript)), None)
        if isinstance(changed, ast.Name):
            assert changed.id not in constants, f"{name}:{node.lineno} changes {changed.id}"
