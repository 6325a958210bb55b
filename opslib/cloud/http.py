"""HTTP for cloud tasks: JSON over requests, with limits, and errors that say what is known of the outcome."""

from __future__ import annotations

import contextlib
import email.utils
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from opslib.cloud.errors import (
    ExpiredError,
    MalformedError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnknownOutcomeError,
)
from opslib.cloud.libraries import load
from opslib.cloud.patience import Patience

__all__ = ["Answer", "Http", "model_of", "unsigned"]

M = TypeVar("M")
_MAX_BODY = 16 << 20
_MAX_SAID = 300
_ATTEMPT = 30.0
_SOURCES = ("message", "error_description", "error", "detail", "msg")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered: status, headers with lower-case names, body, and seconds until it was complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float

    def json(self) -> Any:
        """Return the body as JSON. Raises MalformedError."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise MalformedError(f"the answer is no JSON: {error}", status=self.status) from None

    def moment(self) -> datetime:
        """Return when it was given, by the service's clock (Date: RFC 9110, 6.6.1). Raises MalformedError."""
        try:
            return email.utils.parsedate_to_datetime(self.headers.get("date", "")).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            raise MalformedError("the answer does not tell the time", status=self.status) from None


def unsigned(session: Any) -> Any:
    """Keep a session of requests from signing with logins of ~/.netrc, and return it.

    It would put them in place of the credentials that a request has, and send them to whoever is asked if there is a
    `default` one. Proxies, which come from the environment, too, stay.
    """
    session.auth = lambda request: request
    return session


class Http:
    """One service's HTTP interface.

    name: of the service, for errors; base: URL that paths are appended to; extra: of opslib, that installs what is
    needed; headers: of every request (credentials among them; they are never shown, and never sent to another host:
    redirects are not followed); attempt: seconds for one request.
    """

    def __init__(
        self,
        name: str,
        base: str,
        patience: Patience,
        *,
        extra: str,
        headers: Mapping[str, str] | None = None,
        attempt: float = _ATTEMPT,
    ) -> None:
        self._requests = load("requests", extra)
        below = load("urllib3.exceptions", extra)
        self._broken, self._late = below.HTTPError, below.ReadTimeoutError
        self._name = name
        self._base = base.rstrip("/")
        self._patience = patience
        self._headers = dict(headers or {})
        self._attempt = attempt
        self._session = unsigned(self._requests.Session())

    def get(
        self, path: str, *, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Read, as often as it takes. Raises what `once` raises, transient errors only when time is up."""
        doing = f"{self._name}: GET {path}"
        return self._patience.read(lambda: self.once("GET", path, params=params, headers=headers), doing=doing)

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Change something, once. Raises UnknownOutcomeError when the answer was lost: then look what came of it."""
        doing = f"{self._name}: {method} {path}"
        return self._patience.write(
            lambda: self.once(method, path, json=json, params=params, headers=headers), doing=doing
        )

    def once(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and return the answer if it is a good one (2xx or 304); else raise what it means."""
        answer = self.exchange(method, path, json=json, params=params, headers=headers)
        if 200 <= answer.status < 300 or answer.status == 304:
            return answer
        raise self._error(f"{method} {path}", answer)

    def exchange(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and return whatever is answered. Raises UnknownOutcomeError when nothing is."""
        errors = self._requests.exceptions
        what = f"{self._name}: {method} {path}"
        timeout = self._patience.cap(self._attempt)
        began = time.monotonic()
        try:
            with contextlib.closing(
                self._session.request(
                    method,
                    self._base + path,
                    json=json,
                    params=params,
                    headers={**self._headers, **(headers or {})},
                    timeout=timeout,
                    allow_redirects=False,
                    stream=True,
                )
            ) as got:
                body = self._body(got, what, began + timeout)
                lower = {str(name).lower(): str(value) for name, value in got.headers.items()}
                return Answer(got.status_code, lower, body, time.monotonic() - began)
        except errors.ConnectTimeout as error:
            raise UnknownOutcomeError(f"{what}: no connection within {timeout:.3g} seconds") from error
        except (errors.Timeout, self._late) as error:
            raise UnknownOutcomeError(f"{what}: no answer within {timeout:.3g} seconds") from error
        except errors.SSLError as error:
            raise RefusedError(f"{what}: the certificate is not good: {_reason(error)}") from error
        except (errors.RequestException, self._broken) as error:
            raise UnknownOutcomeError(f"{what}: the connection failed: {_reason(error)}") from error

    def _body(self, got: Any, what: str, ends: float) -> bytes:
        body = bytearray()
        while piece := got.raw.read1(65536, decode_content=True):  # what has come, however little it is
            body += piece
            if len(body) > _MAX_BODY:
                raise MalformedError(f"{what}: the answer is longer than {_MAX_BODY >> 20} MiB; it is dropped")
            if time.monotonic() > ends:
                raise UnknownOutcomeError(f"{what}: the answer does not end")
        return bytes(body)

    def _error(self, what: str, answer: Answer) -> ServiceError:
        said = _said(answer)
        text = f"{self._name}: {what}: {answer.status}{f' ({said})' if said else ''}"
        kind: type[ServiceError]
        if answer.status == 429:
            kind = ThrottledError
        elif answer.status == 401:
            kind = ExpiredError
        elif answer.status >= 500:
            kind = UnknownOutcomeError
        elif 300 <= answer.status < 400:
            kind = MalformedError
        else:
            kind = RefusedError
        return kind(text, code=_code(answer), status=answer.status, after=_retry_after(answer))


def model_of(kind: type[M], value: Any, what: str) -> M:
    """Return an answer as the pydantic model it should be. Raises MalformedError that names the first wrong field."""
    pydantic = load("pydantic", "http")
    try:
        return pydantic.TypeAdapter(kind).validate_python(value)  # type: ignore[no-any-return]
    except pydantic.ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise MalformedError(f"{what}: the answer makes no sense: {where}: {first['msg']}") from None


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds that a Retry-After asks for (RFC 9110, 10.2.3), None when it says nothing sensible."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit() and len(text) < 8:
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, when - time.time())


def _document(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _said(answer: Answer) -> str:
    """Return what an error's body says, on one printable line."""
    found = _document(answer)
    for _depth in range(3):
        if not isinstance(found, dict):
            break
        found = next((found[key] for key in _SOURCES if found.get(key)), None)
    text = found if isinstance(found, str) else answer.body[:_MAX_SAID].decode("utf-8", "replace")
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in line)[:_MAX_SAID]


def _code(answer: Answer) -> str:
    found = _document(answer)
    inner = found.get("error") if isinstance(found, dict) else None
    for each in (inner, found):
        for key in ("code", "status"):
            if isinstance(each, dict) and isinstance(each.get(key), str):
                return str(each[key])[:100]
    return ""


def _reason(error: BaseException) -> str:
    """Return the innermost reason of an error of requests, without the URL that it repeats."""
    inner: Any = error
    while getattr(inner, "reason", None) is not None or (inner.args and isinstance(inner.args[0], BaseException)):
        inner = getattr(inner, "reason", None) or inner.args[0]
        if not isinstance(inner, BaseException):
            break
    return " ".join(str(inner).split())[:_MAX_SAID]
