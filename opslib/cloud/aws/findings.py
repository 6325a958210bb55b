"""Findings of a review of IAM."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["HIGH", "LOW", "MEDIUM", "SEVERITIES", "Finding"]

HIGH, MEDIUM, LOW = "high", "medium", "low"
SEVERITIES = (HIGH, MEDIUM, LOW)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that should not be so. subject: `user ann`, `role deploy`, `policy X`, `root`."""

    severity: str
    kind: str
    subject: str
    words: str

    @property
    def line(self) -> str:
        """The finding on one line."""
        return f"{self.severity}: {self.subject}: {self.words} ({self.kind})"

    def accepted(self, patterns: Sequence[str]) -> bool:
        """Whether one of the patterns, such as `unused_role:role ci-*`, covers it."""
        return any(fnmatch.fnmatchcase(f"{self.kind}:{self.subject}", pattern) for pattern in patterns)

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON-like data."""
        return {"severity": self.severity, "kind": self.kind, "subject": self.subject, "text": self.words}
