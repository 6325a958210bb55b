"""The key that opens all of a project's data: what it says of itself, without believing it."""

from __future__ import annotations

import base64
import binascii
import json

from opslib.cloud.errors import MismatchError
from opslib.host.params import shown

__all__ = ["headers", "prove"]


def prove(key: str, ref: str) -> None:
    """Refuse a key that says itself that it is for another project or role. Raises MismatchError; never shows it.

    Only keys of the older form, signed tokens, say anything (RFC 7519); whether they are genuine the service decides.
    """
    claims = _claims(key)
    if key.startswith("sb_publishable_") or claims.get("role") == "anon":
        raise MismatchError("this is a publishable key; the check needs the service key, which no policy stops")
    if claims and claims.get("role") != "service_role":
        raise MismatchError(f"the key is for role {shown(claims.get('role'))}, not for service_role")
    if claims and claims.get("ref") not in (None, ref):
        raise MismatchError(f"the key is for project {shown(claims.get('ref'))}, not for {ref}")


def headers(key: str) -> dict[str, str]:
    """Return the headers that show a key: those of the newer form are no bearer tokens."""
    shown_to = {"apikey": key}
    return {**shown_to, "Authorization": f"Bearer {key}"} if _claims(key) else shown_to


def _claims(key: str) -> dict[str, object]:
    parts = key.split(".")
    if len(parts) != 3:
        return {}
    try:
        text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
