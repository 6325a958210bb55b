"""The ssh carrier, as far as it goes without a host; tests/lab and tests/faults have the rest."""

from __future__ import annotations

import fabric
import pytest

from opslib.carriers.ssh import SshConnector
from opslib.target import Target


def test_making_a_connection_does_not_disturb_another_thread_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fabric empties and refills the configuration that a new connection is given, while others may read theirs."""
    connector = SshConnector()
    target = Target(name="one", address="192.0.2.1")
    first = connector._client("192.0.2.1", target, target)
    seen = []
    merge = fabric.Config.merge

    def slow(config: fabric.Config) -> None:
        config._set(_config={})
        seen.append(first.authentication.strategy_class)
        merge(config)

    monkeypatch.setattr(fabric.Config, "merge", slow)
    connector._client("192.0.2.2", target, target)
    assert seen == [None]
