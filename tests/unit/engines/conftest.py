"""Fixtures for tests that load playbooks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import oracle


@pytest.fixture(scope="session")
def collection_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a collection `opslib.runbook` whose tasks do nothing."""
    return oracle.make_collection(tmp_path_factory.mktemp("collections"))


@pytest.fixture
def collections(collection_tree: Path) -> Iterator[Path]:
    """The same, to be put beside a playbook; ansible-core forgets before and after which collection it knew."""
    _forget()
    yield collection_tree
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.startswith("ansible_collections.opslib")]:
        del sys.modules[name]
    parent = sys.modules.get("ansible_collections")
    if parent is not None and hasattr(parent, "opslib"):
        del parent.opslib
