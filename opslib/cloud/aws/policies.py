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
    """Return what a policy allows on all resources (of a service) by a wildcard or an exception; the worst first."""
    found = [wide for statement in _statements(document) for wide in _judged(statement)]
    order = (HIGH, MEDIUM, LOW)
    return sorted(dict.fromkeys(found), key=lambda wide: order.index(wide.severity))


def _judged(statement: dict[str, Any]) -> Iterator[Wide]:
    if statement.get("Effect") != "Allow":
        return
    reach = _reach(statement)
    limited = bool(statement.get("Condition"))
    but = _texts(statement.get("NotResource"))
    where = f"on all resources{f' but {_named(but)}' if but else ''}{' under a condition' if limited else ''}"
    if "NotAction" in statement and reach is None:
        spared = _texts(statement["NotAction"])
        bad = "iam:*" not in map(str.lower, spared) and not limited
        yield Wide(HIGH if bad else MEDIUM, f"allows everything but {_named(spared)} {where}")
    actions = _texts(statement.get("Action"))
    services = set(filter(None, map(_whole_service, actions)))
    if "*" in services and reach is None:
        yield Wide(MEDIUM if limited else HIGH, f"allows everything {where}")
    wide = services - {"*"} if reach is None else reach if "*" in services else services & reach
    if wide:
        names = ", ".join(f"{printable(name)}:*" for name in sorted(wide))
        severity = LOW if limited else HIGH if wide & _POWERFUL else MEDIUM
        yield Wide(severity, f"allows {names} {where}")
    if but and actions and not services:
        yield Wide(LOW, f"allows {_named(actions)} {where}, on those yet to come, too")


def _whole_service(action: str) -> str:
    """Return the service whose every action is meant, `*` for every service, nothing otherwise."""
    service, _, name = action.lower().partition(":")
    if set(service) <= {"*"}:
        return "*"
    return service if name and set(name) <= {"*"} else ""


def _reach(statement: dict[str, Any]) -> set[str] | None:
    """Return the services on all of whose resources a statement bears; None when it bears on those of all services."""
    if "NotResource" in statement:
        return None
    found = set()
    for each in _texts(statement.get("Resource")):
        named = each.rstrip("*:/").split(":")  # arn, partition, service, region, account
        if not each.endswith("*"):
            continue
        if len(named) < 3:
            return None
        if len(named) == 3 or (len(named) == 5 and set(named[3]) <= {"*"}):
            found.add(named[2].lower())
    return None if "*" in found else found


def _named(texts: list[str]) -> str:
    return listed([printable(each) for each in texts])


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
