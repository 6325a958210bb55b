"""What is sent to targets: old syntax, the standard library, and nothing that only the controller has."""

from __future__ import annotations

import ast
import marshal
import subprocess
import zlib
from pathlib import Path

import pytest

from opslib import tasks
from opslib.carriers import payload
from support import pythons
from support.sources import ROOT, modules

SHIPPED = {name: tree for name, tree in modules().items() if name.startswith("opslib.host")}
OLDEST = (3, 8)


def sent() -> dict[str, str]:
    """Return the source of every module that a payload with all tasks holds."""
    names = tuple(sorted({tasks.get(name).__module__ for name in tasks.names()}))
    with payload._BUILDING:
        texts = marshal.loads(zlib.decompress(payload._source(names)))
        return {**dict(texts), "boot": zlib.decompress(payload._boot()).decode()}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_syntax_is_old_enough(name):
    """As it is written."""
    path = ROOT / Path(*name.split(".")[1:])
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
    ast.parse(source, feature_version=OLDEST)


def test_what_is_sent_is_old_enough():
    """As it is sent: without docstrings, written anew."""
    texts = sent()
    assert len(texts) > 10
    for name, text in texts.items():
        ast.parse(text, name, feature_version=OLDEST)


def test_annotations_are_never_evaluated():
    """`list[int]` and `X | Y` are fine as annotations only."""
    for name, tree in SHIPPED.items():
        if name not in ("opslib.host", "opslib.host.boot") and any(
            isinstance(node, ast.AnnAssign | ast.FunctionDef) for node in ast.walk(tree)
        ):
            futures = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
            assert futures, f"{name} does not postpone annotations"


IMPORT = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
for name in sys.argv[2:]:
    importlib.import_module(name)
print(sorted(name for name in sys.modules if name.startswith("opslib") and not name.startswith("opslib.host")))
"""


@pytest.mark.parametrize("version", pythons.REQUIRED)
def test_every_module_can_be_imported_by_every_python(version):
    """Without anything but the standard library; of opslib only the empty package comes along."""
    names = [name for name in SHIPPED if name != "opslib.host.boot"]
    command = [pythons.need(version), "-IS", "-W", "error", "-c", IMPORT, str(ROOT.parent), *names]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.stdout.decode() == "['opslib']\n", done.stderr.decode()


WRITE = """
import sys
sys.path[:0] = sys.argv[1].split(":")
from opslib import tasks
from opslib.carriers import payload
names = tuple(sorted({tasks.get(name).__module__ for name in tasks.names()}))
sys.stdout.buffer.write(payload._boot() + payload._source(names))
"""
COMPILE = """
import marshal, sys, zlib
data = sys.stdin.buffer.read()
boot = zlib.decompressobj()
texts = [("boot", boot.decompress(data).decode())]
texts += marshal.loads(zlib.decompress(boot.unused_data))
for name, text in texts:
    compile(text, name, "exec", 0, True)
print(len(texts))
"""


@pytest.mark.parametrize("controller", ["3.11", "3.13"])
@pytest.mark.parametrize("target", pythons.REQUIRED)
def test_what_any_controller_writes_any_target_can_compile(controller, target):
    """A newer Python may write syntax, in f-strings above all, that an older one cannot read."""
    written = subprocess.run(
        [pythons.need(controller), "-IS", "-c", WRITE, str(ROOT.parent)], stdout=subprocess.PIPE, check=True
    ).stdout
    command = [pythons.need(target), "-ISB", "-W", "error", "-c", COMPILE]
    done = subprocess.run(command, input=written, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.stdout.decode().strip() == str(len(sent())), done.stderr.decode()


@pytest.mark.parametrize("name", tasks.names())
def test_the_payload_stays_small(name):
    """A task travels in a moment over a slow link."""
    assert 10_000 < len(payload.encode(payload.Job(steps=(), tasks=[tasks.get(name)]))) < 500_000


NEWER = {"removesuffix", "removeprefix", "waitstatus_to_exitcode", "is_relative_to", "bit_count"}


@pytest.mark.parametrize("name", SHIPPED)
def test_no_method_newer_than_python_3_8(name):
    """What the grammar cannot tell: methods that came after Python 3.8."""
    used = {node.attr for node in ast.walk(SHIPPED[name]) if isinstance(node, ast.Attribute)}
    assert not used & NEWER
