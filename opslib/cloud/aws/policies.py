"""What policies of IAM allow to whom, as far as it is too much.

Source: "IAM JSON policy elements reference" in the IAM user guide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opslib.cloud.aws.findings import HIGH, LOW, MEDIUM
from opslib.host.words import listed, printable

__all__ = ["Wide", "is_open", "too_wide"]

# Who may do all of these, may do everything: by giving itself, or making others, what it lacks.
_POWERFUL = {"iam", "sts", "organizations", "sso", "sso-directory", "identitystore", "account"}


@dataclass(frozen=True, slots=True)
class Wide:
    """Something too wide in a policy: how bad, and in words."""

    severity: str
    words: str


def too_wide(document: Any) -> list[Wide]:
    """Return what a policy allows on all resources by a wildcard for actions; the worst first."""
    found = [wide for statement in _statements(document) for wide in _judged(statement)]
    order = (HIGH, MEDIUM, LOW)
    return sorted(dict.fromkeys(found), key=lambda wide: order.index(wide.severity))


def _judged(statement: dict[str, Any]) -> Iterator[Wide]:
    if statement.get("Effect") != "Allow" or not _everywhere(statement):
        return
    limited = bool(statement.get("Condition"))
    if "NotAction" in statement:
        but = _texts(statement["NotAction"])
        bad = "iam:*" not in map(str.lower, but) and not limited
        names = listed([printable(each) for each in but])
        yield Wide(HIGH if bad else MEDIUM, f"allows everything but {names} on all resources{_under(limited)}")
    services = set()
    for action in _texts(statement.get("Action")):
        service, _, name = action.lower().partition(":")
        if set(service) <= {"*"}:
            yield Wide(MEDIUM if limited else HIGH, f"allows everything on all resources{_under(limited)}")
        elif name and set(name) <= {"*"}:
            services.add(service)
    if services:
        names = ", ".join(f"{printable(name)}:*" for name in sorted(services))
        severity = LOW if limited else HIGH if services & _POWERFUL else MEDIUM
        yield Wide(severity, f"allows {names} on all resources{_under(limited)}")


def _under(limited: bool) -> str:
    return " under a condition" if limited else ""


def _everywhere(statement: dict[str, Any]) -> bool:
    if "NotResource" in statement:
        return True
    return any(set(each) <= {"*", ":"} or each == "arn:aws:*" for each in _texts(statement.get("Resource")))


def is_open(document: Any) -> Wide | None:
    """Return why a role's trust lets anyone in, None when it does not."""
    for statement in _statements(document):
        principal = statement.get("Principal")
        anyone = principal == "*" or (isinstance(principal, dict) and "*" in _texts(principal.get("AWS")))
        if statement.get("Effect") == "Allow" and (anyone or "NotPrincipal" in statement):
            if statement.get("Condition"):
                return Wide(MEDIUM, "anyone may assume it, under a condition")
            return Wide(HIGH, "anyone on AWS may assume it")
    return None


def _statements(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the statements of a document; what is none is passed over."""
    found = document.get("Statement") if isinstance(document, dict) else None
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, dict):
            yield each


def _texts(value: Any) -> list[str]:
    """Return one text or a list of them as a list."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
