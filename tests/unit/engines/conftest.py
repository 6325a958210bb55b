"""Fixtures for tests that load playbooks."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import oracle


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection `opslib.runbook` whose tasks do nothing."""
    return oracle.make_collection(tmp_path_factory.mktemp("collections"))
