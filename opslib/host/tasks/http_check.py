"""Check that an HTTP service answers as it should."""

from __future__ import annotations

import time

from opslib.host import wire
from opslib.host.params import Choice, Duration, ListOf, Mapping, Number, ParamError, Path, Size, Text, Url, shown
from opslib.host.plan import Plan
from opslib.host.record import Record
from opslib.host.task import Task, param
from opslib.host.web.exchange import Answer, fetch, split_url
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

EXCERPT = 300
_TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FRAMING = ("connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade")
# Request headers that hold no secret; masking "application/json" would blot out half of a report.
_PLAIN = ("accept", "accept-language", "cache-control", "host", "origin", "referer", "user-agent", "x-forwarded-proto")


class Statuses(ListOf):
    """HTTP status codes; one alone need not stand in a list. Canonical: a list."""

    def __init__(self) -> None:
        super().__init__(Number(100, 599, whole=True), empty=False, longest=50)
        self.label = "HTTP status from 100 to 599, or a list of them"

    def __call__(self, value: Any) -> list[Any]:
        return super().__call__([value] if isinstance(value, int) else value)


class Headers(Mapping):
    """HTTP headers by name."""

    def __init__(self, secret: bool = False) -> None:
        super().__init__(Text("header value", empty=True, secret=secret), secret=secret)
        self.label = "mapping of HTTP header names to values"

    def __call__(self, value: Any) -> dict[str, Any]:
        found = super().__call__(value)
        for name, text in found.items():
            if not all(c in _TOKEN for c in name):
                raise ParamError("%s is no name of an HTTP header" % shown(name))
            if not text.isascii() or not text.replace("\t", " ").isprintable():
                raise ParamError("the value of %s holds characters other than printable ASCII" % name)
        return found


class Asked(Record):
    """The last of one or more attempts; waited: seconds from the first to the end of the last."""

    answer: Answer
    attempts: int = 1
    waited: float = 0.0


class HttpCheck(Task, name="http_check"):
    """Check from the host itself that a URL answers: its status, JSON, text, headers and speed.

    It asks until the answer is as it should be, or `wait` seconds are over, and fails with the last answer's fault.
    TLS certificates are always verified; proxies named in the environment are never used; redirects are followed only
    as far as `redirects` allows, never from https to http, and request headers do not go along to another host. No
    more than `max_size` bytes are read, and `timeout` covers an attempt as a whole, however slowly a server drips.

    data: `url` (of the last answer), `redirects` (the URLs before it), `address`, `status`, `content_type`,
    `size_bytes` (of the body, as far as read), `connect_seconds` (until connected, with name lookup and TLS),
    `first_byte_seconds`, `total_seconds` (each from the attempt's beginning), `attempts`, `waited_seconds`, `excerpt`
    (the body's first 300 characters) and, on failure, `problem`: name, refused, unreachable, timeout, tls, closed,
    protocol, redirect, status, header, html, json, text, size or slow.

    Secrets (request headers beside the likes of Accept and Host) are masked wherever a server echoes them.
    Sources: RFC 9110, RFC 9112.
    """

    url: str = param(Url(), "URL to ask, as seen from the host.", example="http://127.0.0.1:8000/health")
    status: list[int] = param(
        Statuses(), "HTTP status that is right, or a list of those that are.", default=200, example=[200, 204]
    )
    method: str = param(Choice("GET", "HEAD"), "Request method.", default="GET")
    json: dict[str, Any] | None = param(
        Mapping(),
        "What the JSON answer must hold: names it must have with these values, at any depth; others may be there too.",
        default=None,
        example={"status": "healthy", "database": {"connected": True}},
    )
    contains: str | None = param(
        Text("text", lines=True), "Text that must stand in the answer's body.", default=None, example="Welcome"
    )
    absent: str | None = param(
        Text("text", lines=True), "Text that must not stand in the answer's body.", default=None, example="Traceback"
    )
    header: dict[str, str] = param(
        Headers(),
        "Headers that the answer must have, with text that each must contain, in upper or lower case.",
        default={},
        example={"Content-Type": "application/json"},
    )
    request_headers: dict[str, str] = param(
        Headers(secret=True),
        "Headers to send, such as Authorization or Host; never shown.",
        default={},
        example={"Authorization": "Bearer {{ health_token }}"},
    )
    max_latency: float | None = param(
        Duration(low=0.001),
        "Longest time in seconds that a good answer may take as a whole.",
        default=None,
        example="2s",
    )
    timeout: float = param(Duration(low=0.01), "Seconds after which one attempt is given up.", default=10, example="5s")
    wait: float = param(
        Duration(),
        "Seconds in total to go on trying until the answer is right; 0: one attempt.",
        default=0,
        example="1m",
    )
    interval: float = param(Duration(low=0.05), "Seconds between two attempts.", default=1)
    redirects: int = param(Number(0, 20, whole=True), "How many redirects to follow.", default=0)
    max_size: int = param(Size(), "Longest body in bytes; a longer one is a failure.", default=1 << 20, example="5M")
    ca_file: str | None = param(
        Path(),
        "PEM file on the host with the authorities to trust instead of the system's.",
        default=None,
        example="/etc/ssl/private-ca.pem",
    )

    def check(self) -> None:
        try:
            target = split_url(self.url)
        except ParamError as error:
            self.refuse("url: %s" % error)
            return
        if self.method == "HEAD" and (self.json is not None or self.contains or self.absent):
            self.refuse("an answer to HEAD has no body, so json, contains and absent need method GET")
        if self.ca_file and not target.secure and not self.redirects:
            self.refuse("ca_file is for https, but the URL is %s" % self.url)
        if not self.max_size:
            self.refuse("max_size must be at least 1 byte")
        framing = [name for name in self.request_headers if name.lower() in _FRAMING]
        if framing:
            self.refuse("request_headers: %s is not yours to set" % framing[0])

    def secrets(self) -> Iterator[str]:
        """Yield secret headers' values, and the parts of them that a server may echo alone (a token, a cookie)."""
        for name, value in self.request_headers.items():
            if name.lower() in _PLAIN:
                continue
            yield value
            yield value.partition(" ")[2].strip()
            if name.lower() == "cookie":
                yield from [part.partition("=")[2].strip() for part in value.split(";")]

    def probe(self) -> Asked:
        began = time.monotonic()
        attempts, limit = 1, self.timeout
        while True:
            answer = self.attempt(limit)
            passed = time.monotonic() - began
            left = self.wait - passed - self.interval
            if left <= 0 or not self.fault(answer)[0]:
                return Asked(answer=answer, attempts=attempts, waited=passed)
            time.sleep(self.interval)
            attempts, limit = attempts + 1, min(self.timeout, max(left, 0.01))

    def attempt(self, limit: float) -> Answer:
        """Ask once, for at most so many seconds."""
        return fetch(
            self.url,
            method=self.method,
            headers=self.request_headers,
            timeout=limit,
            max_size=self.max_size,
            redirects=self.redirects,
            ca_file=self.ca_file,
        )

    def plan(self, state: Asked) -> Plan:
        answer = state.answer
        data = dict(self.facts(answer), attempts=state.attempts, waited_seconds=round(state.waited, 3))
        problem, words = self.fault(answer)
        if not problem:
            return Plan(reason="%s answered %d in %.3g s" % (self.url, answer.status, answer.total_seconds), data=data)
        if state.attempts > 1:
            words += " (the last of %d attempts in %.3g s)" % (state.attempts, state.waited)
        return Plan(failure="%s: %s" % (self.url, words), data=data)

    def facts(self, answer: Answer) -> dict[str, Any]:
        """Return what `data` holds of one answer."""
        found = {
            "url": answer.url,
            "redirects": list(answer.redirects),
            "address": answer.address,
            "status": answer.status or None,
            "content_type": self._brief(answer.header("Content-Type") or ""),
            "size_bytes": len(answer.body),
            "connect_seconds": _rounded(answer.connect_seconds),
            "first_byte_seconds": _rounded(answer.first_byte_seconds),
            "total_seconds": _rounded(answer.total_seconds),
            "excerpt": self._brief(_text(answer)),
        }
        problem = self.fault(answer)[0]
        return dict(found, problem=problem) if problem else found

    def fault(self, answer: Answer) -> tuple[str, str]:
        """Return what is wrong with an answer: a word for programs and words for people; both empty when nothing is."""
        if answer.problem:
            return answer.problem, self._brief(answer.words)
        if answer.status not in self.status:
            expected = " or ".join(["%d" % status for status in self.status])
            words = "it answered %d %s, expected %s" % (answer.status, self._brief(answer.phrase), expected)
            place = answer.header("Location")
            if place and 300 <= answer.status < 400:
                words += "; it redirects to %s: ask for that URL, or give redirects: 1" % self._brief(place)
                return "redirect", words
            return "status", words
        for name, text in self.header.items():
            value = answer.header(name)
            if value is None:
                return "header", "its answer has no header %s" % name
            if text.lower() not in value.lower():
                return "header", "its header %s is %s, which lacks %s" % (name, self._quoted(value), self._quoted(text))
        if answer.cut:
            return "size", "its body is longer than %d bytes (max_size)" % self.max_size
        return self._body_fault(answer)

    def _body_fault(self, answer: Answer) -> tuple[str, str]:
        text = _text(answer) if self.contains or self.absent else ""
        encoding = answer.header("Content-Encoding") or "identity"
        if encoding.lower() != "identity" and (self.json is not None or self.contains or self.absent):
            return "protocol", "its body is compressed (%s) although that was not asked for" % self._brief(encoding)
        if self.json is not None:
            problem, words = self._json_fault(answer)
            if problem:
                return problem, words
        if self.contains and self.contains not in text:
            return "text", "its body lacks the text %s" % self._quoted(self.contains)
        if self.absent and self.absent in text:
            return "text", "its body holds the text %s" % self._quoted(self.absent)
        if self.max_latency is not None and answer.total_seconds > self.max_latency:
            words = "it took %.3g s to answer, longer than %g s (max_latency)"
            return "slow", words % (answer.total_seconds, self.max_latency)
        return "", ""

    def _json_fault(self, answer: Answer) -> tuple[str, str]:
        import json

        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            kind = (answer.header("Content-Type") or "").partition(";")[0].strip().lower()
            if kind in ("text/html", "application/xhtml+xml") or answer.body.lstrip()[:1] == b"<":
                return "html", "it answered with HTML where JSON was expected"
            if not answer.body.strip():
                return "json", "its body is empty where JSON was expected"
            return "json", "its body is no JSON: %s" % self._brief(str(error))
        for path, expected, value in differences(self.json, found):
            wanted = self._quoted(expected)
            if value is MISSING:
                return "json", "its JSON has no %s; expected %s" % (path, wanted)
            return "json", "its JSON's %s is %s, expected %s" % (path, self._quoted(value), wanted)
        return "", ""

    def _brief(self, text: str) -> str:
        """Return text from outside as it may be shown: secrets masked before it is cut, on one line."""
        words = printable(" ".join(str(wire.mask(text, self.secrets())).split()))
        return words if len(words) <= EXCERPT else words[: EXCERPT - 3] + "..."

    def _quoted(self, value: Any) -> str:
        words = self._brief(wire.dumps(wire.mask(value, self.secrets())))
        return words if len(words) <= 80 else words[:77] + "..."


MISSING = object()


def differences(expected: Any, found: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where a JSON value lacks what is expected: the path, what is expected and what is there, or MISSING.

    A mapping may hold more than is expected, a list may not. True is not 1, but 1 is 1.0.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            below = path + "." + key if path else key
            if key in found:
                yield from differences(value, found[key], below)
            else:
                yield below, value, MISSING
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found)):
            yield from differences(one, other, "%s[%d]" % (path, number))
    elif isinstance(expected, bool) is not isinstance(found, bool) or expected != found:
        yield path or "outermost value", expected, found


def _text(answer: Answer) -> str:
    kind = answer.header("Content-Type") or ""
    charset = kind.lower().partition("charset=")[2].partition(";")[0].strip(' "') or "utf-8"
    try:
        return answer.body.decode(charset, "replace")
    except (LookupError, ValueError):
        return answer.body.decode("utf-8", "replace")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
