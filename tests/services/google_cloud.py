"""The services of Google Cloud that belong together in tests: one storage, one emulator, and what stands in front."""

from __future__ import annotations

import contextlib
from typing import Self

from services.faults import Call
from services.firebase_rules import FirebaseRules
from services.firestore import FirestoreEmulator
from services.firestore_admin import FirestoreService
from services.gcs import Gcs
from services.monitoring import Monitoring

__all__ = ["GoogleCloud"]


class GoogleCloud:
    """All of them; a context manager. Raises RuntimeError when the emulator or a library is not installed."""

    def __init__(self) -> None:
        self.emulator = FirestoreEmulator()
        self._running = contextlib.ExitStack()

    def start(self) -> Self:
        """Start them."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.emulator)
            self.gcs = stack.enter_context(Gcs())
            self.firestore = stack.enter_context(FirestoreService(self.emulator, self.gcs))
            self.rules = stack.enter_context(FirebaseRules(self.emulator))
            self.monitoring = stack.enter_context(Monitoring())
            self._running = stack.pop_all()
        return self

    def stop(self) -> None:
        """Stop them."""
        self._running.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def services(self) -> tuple[Gcs, FirestoreService, FirebaseRules, Monitoring]:
        """Those that are servers of ours."""
        return self.gcs, self.firestore, self.rules, self.monitoring

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which programs find them, without credentials."""
        found = {"OPSLIB_GCP_ANONYMOUS": "1", **self.emulator.environment}
        for service in self.services:
            found |= service.environment
        return found

    @property
    def mutations(self) -> list[Call]:
        """Everything that was asked of any of them and may change something."""
        return [call for service in self.services for call in service.mutations]

    def forget_requests(self) -> None:
        """Forget what was asked so far, and nothing else."""
        for service in self.services:
            service.requests.clear()

    def reset(self) -> None:
        """Put them to their beginning."""
        for service in self.services:
            service.reset()
