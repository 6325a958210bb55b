"""The channels by which people and programs are told things: one configuration, whose secrets never show.

Addresses are those of apprise. `${NAME}` in one, or in place of one, stands for a variable of the environment.
Source: https://github.com/caronc/apprise/wiki
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from opslib.host.params import Kind, ListOf, Name, ParamError, Text
from opslib.host.task import TaskError

__all__ = ["Channel", "Channels", "filled", "load_file", "missing", "parse", "secrets_of", "select"]

_PLACE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WORDS = re.compile(r"[a-z.-]*")  # hosts, and what documentation calls paths
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to tell somebody. url: as apprise takes it; `${NAME}` in it, or all of it, stands for a variable."""

    name: str
    url: str = field(repr=False)
    labels: tuple[str, ...] = ()


class _Address(Text):
    def __init__(self) -> None:
        super().__init__("URL of a channel, such as slack://...", secret=True)

    def check(self, value: str) -> str:
        if ("://" not in value and not _PLACE.fullmatch(value)) or not value.isprintable() or " " in value:
            raise ParamError(f"the value is no {self.label}")
        return value


class Channels(Kind):
    """Channels by name: a URL, or a mapping with `url` and `labels`. Canonical: mappings."""

    label = "mapping of names to URLs of channels"
    ansible = "dict"
    secret = True

    def __call__(self, value: Any) -> dict[str, Any]:
        """Return the canonical value, or raise ParamError, which shows no URL."""
        if not isinstance(value, Mapping) or len(value) > 100:
            raise ParamError(f"the value is no {self.label}, at most 100 of them")
        return {Name("channel")(name): self._channel(name, given) for name, given in value.items()}

    def _channel(self, name: str, given: Any) -> dict[str, Any]:
        found = given if isinstance(given, Mapping) else {"url": given}
        unknown = [key for key in found if key not in ("url", "labels")]
        if unknown or "url" not in found:
            raise ParamError(f"{name}: a channel has url, and may have labels; nothing else")
        try:
            return {"url": _Address()(found["url"]), "labels": ListOf(Name("label"))(found.get("labels") or [])}
        except ParamError as error:
            raise ParamError(f"{name}: {error}") from None


def parse(given: Mapping[str, Any]) -> tuple[Channel, ...]:
    """Return channels from a mapping of names to URLs, or to mappings with `url` and `labels`. Raises ParamError."""
    found = Channels()(given)
    return tuple(Channel(name, each["url"], tuple(each["labels"])) for name, each in found.items())


def load_file(path: str) -> tuple[Channel, ...]:
    """Return the channels of a TOML file, each a table `[channels.NAME]` with `url` and `labels`. Raises TaskError."""
    try:
        with open(path, "rb") as file:
            data = tomllib.loads(file.read(_LONGEST).decode())
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise TaskError(f"{path} is no TOML file in UTF-8") from None
    try:
        return parse(data.get("channels", {}))
    except ParamError as error:
        raise TaskError(f"{path}: channels: {error}") from None


def select(channels: Iterable[Channel], to: Iterable[str]) -> list[Channel]:
    """Return the channels with one of these names or labels; all when none is asked for."""
    wanted = set(to)
    return [each for each in channels if not wanted or each.name in wanted or wanted & set(each.labels)]


def secrets_of(channels: Iterable[Channel]) -> list[str]:
    """Return every text that must not be shown: addresses, their parts, and what the environment adds to them."""
    found = []
    for each in channels:
        found += [each.url, *_parts(each.url)]
        values = [value for name in _PLACE.findall(each.url) if (value := os.environ.get(name))]
        found += values + [part for value in values for part in _parts(value)]
    return found


def _parts(url: str) -> list[str]:
    """Return the pieces of an address that may be secrets: who comes, and what is more than lower-case words."""
    rest = url.partition("://")[2] or url
    pieces = [piece for piece in re.split(r"[/?&=:@#]", rest) if len(piece) >= 8 and not _WORDS.fullmatch(piece)]
    pieces += rest.partition("@")[0].split(":") if "@" in rest else []
    return [word for piece in pieces for word in (piece, unquote(piece)) if not _PLACE.search(word)]


def missing(channel: Channel) -> list[str]:
    """Return the variables that an address needs and that are not set."""
    return [name for name in _PLACE.findall(channel.url) if not os.environ.get(name)]


def filled(url: str) -> str:
    """Return an address with the variables' values; each stays one part of it, unless it is all of it."""
    whole = _PLACE.fullmatch(url)
    if whole:
        return os.environ[whole[1]]
    return _PLACE.sub(lambda found: quote(os.environ[found[1]], safe=""), url)
