"""Telling people and programs, by Slack, mail, PagerDuty, webhooks and whatever else apprise knows.

A channel that fails never harms the others or the caller: it is reported. Addresses of channels hold their secrets, so
no part of one is ever shown. Source: https://github.com/caronc/apprise/wiki
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import tomllib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

from opslib.cloud.libraries import load
from opslib.host import wire
from opslib.host.params import Kind, ListOf, Name, ParamError, Text
from opslib.host.task import TaskError
from opslib.host.words import printable

__all__ = ["LEVELS", "Channel", "Channels", "Delivery", "load_file", "notify", "parse", "ready", "secrets_of", "select"]

LEVELS = ("info", "success", "warning", "failure")
_PLACE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WORDS = re.compile(r"[a-z.-]*")  # hosts, and what documentation calls paths
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to tell somebody. url: as apprise takes it; `${NAME}` in it, or all of it, stands for a variable."""

    name: str
    url: str = field(repr=False)
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message to one channel; trouble: why it was not delivered, in words."""

    channel: str
    service: str
    delivered: bool
    trouble: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-like data."""
        return {
            "channel": self.channel,
            "service": self.service,
            "delivered": self.delivered,
            "trouble": self.trouble,
            "seconds": round(self.seconds, 3),
        }


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


def ready(channel: Channel) -> tuple[Any, str]:
    """Return a channel as apprise has it, and why it cannot be used, in words; one of them is empty."""
    missing = [name for name in _PLACE.findall(channel.url) if not os.environ.get(name)]
    if missing:
        return None, f"{missing[0]} is not set in the environment"
    url = _filled(channel.url)
    apprise = _apprise()
    asset = apprise.AppriseAsset(app_id="opslib", app_desc="opslib", async_mode=False, secure_logging=True)
    with _Heard() as heard:
        made = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if made is None:
        scheme = urlsplit(url).scheme if re.match(r"[a-z0-9+.-]{1,20}://", url) else "its kind"
        why = _words(heard.of(threading.get_ident()), [channel])
        return None, f"apprise cannot use this {scheme} address{f': {why}' if why else ''}"
    return made, ""


def notify(
    channels: Mapping[str, Any] | Iterable[Channel],
    *,
    title: str,
    body: str,
    level: str = "info",
    to: Iterable[str] = (),
    timeout: float = 15.0,
) -> tuple[Delivery, ...]:
    """Tell all channels, or those with certain names or labels, at once; return what became of each.

    level: one of LEVELS; timeout: seconds after which a channel is given up. Never raises for what a channel does;
    raises ParamError for a wrong configuration, and MissingLibraryError without apprise.
    """
    known = parse(channels) if isinstance(channels, Mapping) else tuple(channels)
    chosen = select(known, to)
    _apprise()
    letters = [_Letter(each, title, body, level) for each in chosen]
    with _Heard() as heard:
        for letter in letters:
            letter.start()
        ends = time.monotonic() + timeout
        return tuple(letter.delivery(max(0.0, ends - time.monotonic()), timeout, heard) for letter in letters)


def _filled(url: str) -> str:
    """Return an address with the variables' values; each stays one part of it, unless it is all of it."""
    whole = _PLACE.fullmatch(url)
    if whole:
        return os.environ[whole[1]]
    return _PLACE.sub(lambda found: quote(os.environ[found[1]], safe=""), url)


def _apprise() -> Any:
    """Return the library with all its plugins, which it loads when the first channel is made."""
    apprise = load("apprise", "notify")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some plugins use what Python is going to drop
        apprise.Apprise.instantiate("json://localhost")
    return apprise


class _Letter(threading.Thread):
    """One message on its way; a thread of its own, for apprise knows no deadline."""

    def __init__(self, channel: Channel, title: str, body: str, level: str) -> None:
        super().__init__(daemon=True)
        self.channel, self.title, self.body, self.level = channel, title, body, level
        self.service, self.trouble, self.sent = "", "", False
        self.seconds = 0.0

    def run(self) -> None:
        """Send it."""
        began = time.monotonic()
        try:
            made, self.trouble = ready(self.channel)
            if made is not None:
                self.service = str(made.service_name)
                self.sent = bool(made.notify(body=self.body, title=self.title, notify_type=self.level))
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"
        self.seconds = time.monotonic() - began

    def delivery(self, patience: float, timeout: float, heard: _Heard) -> Delivery:
        """Wait for its end, and return what became of it."""
        self.join(patience)
        if self.is_alive():
            words = f"no answer within {timeout:g} seconds; it may still arrive"
            return Delivery(self.channel.name, self.service, delivered=False, trouble=words, seconds=timeout)
        if self.sent:
            return Delivery(self.channel.name, self.service, delivered=True, seconds=self.seconds)
        words = self.trouble or heard.of(self.ident or 0) or "it was not accepted, and apprise does not say why"
        trouble = _words(words, [self.channel])
        return Delivery(self.channel.name, self.service, delivered=False, trouble=trouble, seconds=self.seconds)


class _Heard(logging.Handler):
    """What apprise says of trouble, by thread, for as long as the context lasts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: dict[int, list[str]] = {}
        self._logger = logging.getLogger("apprise")

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is said."""
        self._said.setdefault(record.thread or 0, []).append(record.getMessage())

    def of(self, thread: int) -> str:
        """Return what was said in a thread."""
        return " ".join(self._said.get(thread, []))

    def __enter__(self) -> Self:
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)


def _words(text: str, channels: list[Channel]) -> str:
    line = printable(str(wire.mask(" ".join(text.split()), secrets_of(channels))))
    return line if len(line) <= 200 else line[:197] + "..."
