"""Telling people and programs, by Slack, mail, PagerDuty, webhooks and whatever else apprise knows.

A channel that fails never harms the others or the caller: it is reported. Addresses of channels hold their secrets, so
no part of one is ever shown. Source: https://github.com/caronc/apprise/wiki
"""

from __future__ import annotations

import logging
import re
import threading
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from opslib.cloud.channels import Channel, filled, missing, parse, secrets_of, select
from opslib.cloud.libraries import load
from opslib.host import wire
from opslib.host.words import printable

__all__ = ["LEVELS", "Delivery", "notify", "ready"]

LEVELS = ("info", "success", "warning", "failure")


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


def ready(channel: Channel) -> tuple[Any, str]:
    """Return a channel as apprise has it, and why it cannot be used, in words; one of them is empty."""
    unset = missing(channel)
    if unset:
        return None, f"{unset[0]} is not set in the environment"
    url = filled(channel.url)
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
