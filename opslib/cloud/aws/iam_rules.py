"""The rules by which a review of IAM judges: pure, on what was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from opslib.cloud.aws.account_details import Details, Grant, Role
from opslib.cloud.aws.credential_report import ROOT, Key, User
from opslib.cloud.aws.findings import HIGH, LOW, MEDIUM, Finding
from opslib.cloud.aws.policies import is_open, too_wide
from opslib.host.words import listed, printable

__all__ = ["Limits", "of_account", "of_grants", "of_roles", "of_users"]

_DAY = 86400
_SERVICES_OWN, _AWS_OWN = "/aws-service-role/", "/aws-reserved/"


@dataclass(frozen=True, slots=True)
class Limits:
    """now: seconds since 1970; key_age, unused: seconds."""

    now: float
    key_age: float
    unused: float

    def days(self, since: float) -> str:
        """Return how long ago something was, in words."""
        return f"{max(self.now - since, 0) / _DAY:.0f} days"


def of_users(users: tuple[User, ...], limits: Limits) -> Iterator[Finding]:
    """Judge users' passwords and keys, and the root account."""
    for user in users:
        if user.name == ROOT:
            yield from _root(user, limits)
            continue
        who = f"user {printable(user.name)}"
        if user.password and not user.mfa:
            yield Finding(HIGH, "no_mfa", who, "may sign in with a password alone, without a second factor")
        if user.password:
            last = max(filter(None, (user.password_used, user.password_set, user.made)), default=None)
            if last is not None and limits.now - last > limits.unused:
                yield Finding(MEDIUM, "unused_password", who, f"has not used the password for {limits.days(last)}")
        for key in user.keys:
            yield from _key(key, who, limits)
        if len(user.keys) > 1:
            yield Finding(LOW, "two_keys", who, "has two active access keys; that is for the time of a rotation")


def _root(root: User, limits: Limits) -> Iterator[Finding]:
    if root.keys:
        yield Finding(HIGH, "root_key", "root", "has an active access key: remove it")
    if root.password and not root.mfa:
        yield Finding(HIGH, "root_no_mfa", "root", "may sign in without a second factor")
    used = max(filter(None, (root.password_used, *(key.used for key in root.keys))), default=None)
    if used is not None and limits.now - used < limits.unused:
        yield Finding(MEDIUM, "root_used", "root", f"was used {limits.days(used)} ago: that is for emergencies")


def _key(key: Key, who: str, limits: Limits) -> Iterator[Finding]:
    name = f"access key {key.number}"
    if key.made is not None and limits.now - key.made > limits.key_age:
        yield Finding(MEDIUM, "old_key", who, f"{name} is {limits.days(key.made)} old")
    since = key.used if key.used is not None else key.made
    if since is not None and limits.now - since > limits.unused:
        how = f"was not used for {limits.days(since)}" if key.used else f"was never used in {limits.days(since)}"
        yield Finding(MEDIUM, "unused_key", who, f"{name} {how}")


def of_account(summary: Mapping[str, int]) -> Iterator[Finding]:
    """Judge the root account by the account's summary, where the credential report does not name it."""
    if summary.get("AccountAccessKeysPresent"):
        yield Finding(HIGH, "root_key", "root", "has an access key: remove it")
    if summary.get("AccountMFAEnabled") == 0:
        yield Finding(HIGH, "root_no_mfa", "root", "has no second factor")


def of_roles(roles: tuple[Role, ...], limits: Limits) -> Iterator[Finding]:
    """Judge who may assume roles, and whether anyone does; those of AWS's own services are theirs."""
    for role in roles:
        if role.path.startswith(_SERVICES_OWN):
            continue
        who = f"role {printable(role.name)}"
        wide = is_open(role.trust)
        if wide is not None:
            yield Finding(wide.severity, "open_role", who, wide.words)
        since = role.made if role.used is None else role.used
        if limits.now - since > limits.unused and not role.path.startswith(_AWS_OWN):
            how = "was never used" if role.used is None else "was not used"
            yield Finding(LOW, "unused_role", who, f"{how} for {limits.days(since)}")


def of_grants(details: Details) -> Iterator[Finding]:
    """Judge policies; those of AWS that nobody has are AWS's business."""
    own = {f"role {role.name}" for role in details.roles if role.path.startswith(_SERVICES_OWN)}
    for grant in details.grants:
        holders = [who for who in grant.holders if who not in own]
        if holders or (grant.own and not grant.holders):
            yield from _of_grant(grant, holders)


def _of_grant(grant: Grant, holders: list[str]) -> Iterator[Finding]:
    name = f"policy {printable(grant.name)}{f' of {printable(grant.holders[0])}' if grant.inline else ''}"
    for wide in too_wide(grant.document)[:1]:
        whose = f"held by {listed([printable(who) for who in holders])}" if holders else "held by nobody"
        severity = wide.severity if holders else LOW
        yield Finding(severity, "wildcard_policy", name, f"{wide.words}; {whose}")
