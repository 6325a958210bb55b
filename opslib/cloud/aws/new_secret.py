"""New secrets: from the system's random numbers, or a JSON object with one member made new."""

from __future__ import annotations

import json
import math
import secrets
import string

from opslib.host.params import shown
from opslib.host.task import TaskError

__all__ = ["ALPHABETS", "bits", "generate", "member_of", "with_member"]

ALPHABETS = {
    "letters": string.ascii_letters + string.digits,
    "url": string.ascii_letters + string.digits + "-_",
    "hex": "0123456789abcdef",
    "signs": string.ascii_letters + string.digits + "!#%()*+,-./:;=?@[]^_{}~",
}


def bits(length: int, alphabet: str) -> int:
    """Return how many bits of chance a secret holds."""
    return int(length * math.log2(len(ALPHABETS[alphabet])))


def generate(length: int, alphabet: str) -> str:
    """Return a new secret."""
    return "".join(secrets.choice(ALPHABETS[alphabet]) for _place in range(length))


def _object(text: str, what: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TaskError(f"{what} holds no JSON object, so it has no members")
    return found


def member_of(text: str, member: str, what: str) -> str:
    """Return a member of a JSON object. Raises TaskError that tells nothing of the values."""
    value = _object(text, what).get(member)
    if not isinstance(value, str):
        raise TaskError(f"{what} has no member {shown(member)} that is a text")
    return value


def with_member(text: str, member: str, value: str, what: str) -> str:
    """Return a JSON object with another value of a member that it has."""
    member_of(text, member, what)
    return json.dumps({**_object(text, what), member: value})
