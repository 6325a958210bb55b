"""A web API on loopback: routes with state behind them, a log of calls, and faults.

What a service of this kind answers is up to its subclass, which says what it was checked against.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from services.back_end import BackEnd
from services.faults import Call, Fault

__all__ = ["Answer", "Exchange", "Web", "WebCall", "drip", "endless", "route"]


@dataclass(frozen=True, slots=True)
class WebCall(Call):
    """A request as it came: `parameters` are the named parts of its path, header names are in lower case.

    query: the first value of each name; many: all of them.
    """

    method: str = ""
    path: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    many: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service sends back: bytes and texts as they are, None as nothing, anything else as JSON."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """Return it as the web server wants it."""
        if self.body is None:
            return Response(b"", self.status, headers=list(self.headers.items()), content_type="")
        body = self.body if isinstance(self.body, bytes | str) else json.dumps(self.body)
        return Response(body, self.status, headers={"Content-Type": "application/json", **self.headers})


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and the answer that the service itself gave it, whether a test spoilt that afterwards or not."""

    call: WebCall
    answer: Answer


@dataclass(frozen=True, slots=True)
class WebFault(Fault):
    """An error with headers."""

    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    pattern: re.Pattern[str]
    operation: str
    mutates: bool


def route(method: str, path: str, *, mutates: bool | None = None) -> Callable[[Any], Any]:
    """Give a method of a service a path such as `/v1/things/{id}`; what is no GET or HEAD mutates unless told.

    `{name:path}` may hold slashes, and may be empty.
    """
    parts = re.sub(r"\{(\w+):path\}", r"(?P<\1>.*)", path)
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", parts))
    changes = method not in ("GET", "HEAD") if mutates is None else mutates

    def mark(function: Any) -> Any:
        function.routes = [*getattr(function, "routes", ()), _Route(method, pattern, function.__name__, changes)]
        return function

    return mark


class Web(BackEnd):
    """A web API. Methods with a `route` get the call, and return an Answer or what is sent as JSON."""

    def __init__(self) -> None:
        super().__init__()
        names = [name for name in dir(type(self)) if not name.startswith("__")]
        self._routes = [each for name in names for each in getattr(getattr(type(self), name), "routes", ())]
        self.exchanges: list[Exchange] = []
        self.crashes: list[Exception] = []
        self.forget()

    def forget(self) -> None:
        """Put the service's own state to its beginning."""

    def reset(self) -> None:
        """Forget state, requests and faults."""
        super().reset()
        self.exchanges.clear()
        self.forget()

    def stop(self) -> None:
        """Stop listening, and raise what went wrong inside the fake itself."""
        super().stop()
        if self.crashes:
            raise self.crashes[0]

    # --- faults

    def fail(
        self,
        operation: str,
        *,
        times: int | None = 1,
        status: int = 500,
        code: str = "internal_server_error",
        message: str = "told to fail",
        after_effect: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer an error; with `after_effect` what was asked is done, and only the answer is lost."""
        fault = WebFault(status, code, message, after_effect=after_effect, headers=headers or {})
        self.script.add(operation, fault, times)

    def throttle(self, operation: str, times: int | None = None, *, retry_after: str | None = "0") -> None:
        """Refuse for coming too often; retry_after: seconds or a date, None to say nothing of it."""
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        self.fail(operation, times=times, status=429, code="rate_limited", message="Rate exceeded", headers=headers)

    def stream(self, operation: str, body: Callable[[], Iterable[bytes]], *, times: int | None = 1) -> None:
        """Answer piece by piece, such as with `endless` or `drip(...)`."""
        self.twist(operation, lambda _right: Response(body(), content_type="application/json"), times=times)

    # --- what a service is

    def admit(self, call: WebCall) -> Answer | None:
        """Return the refusal of a call that may not come in; None when it may."""
        return None

    def problem(self, status: int, code: str, message: str) -> Answer:
        """Word an error as the service does."""
        return Answer({"error": {"code": code, "message": message}}, status)

    def read(self, request: Request) -> WebCall:
        method, path = request.method, request.path
        found, parts = None, {}
        for each in self._routes:
            matched = each.pattern.fullmatch(path) if each.method == method else None
            if matched:
                found, parts = each, matched.groupdict()
                break
        return WebCall(
            operation=found.operation if found else f"{method} {path}",
            mutates=found.mutates if found else method not in ("GET", "HEAD"),
            body=_parsed(request.get_data()),
            method=method,
            path=path,
            parameters=parts,
            query=request.args.to_dict(),
            many=request.args.to_dict(flat=False),
            headers={name.lower(): value for name, value in request.headers.items()},
        )

    def perform(self, call: Call, request: Request) -> Response:
        assert isinstance(call, WebCall)
        with self._lock:
            answer = self._own(call)
            self.exchanges.append(Exchange(call, answer))
        return answer.response()

    def _own(self, call: WebCall) -> Answer:
        refusal = self.admit(call)
        if refusal is not None:
            return refusal
        if all(each.operation != call.operation for each in self._routes):
            return self.problem(404, "not_found", f"there is no {call.operation}")
        try:
            answer = getattr(self, call.operation)(call)
        except Exception as error:
            self.crashes.append(error)
            return self.problem(500, "the_fake_is_broken", repr(error))
        return answer if isinstance(answer, Answer) else Answer(answer)

    def error(self, call: Call, fault: Fault) -> Response:
        answer = self.problem(fault.status, fault.code, fault.message)
        headers = {**answer.headers, **(fault.headers if isinstance(fault, WebFault) else {})}
        return Answer(answer.body, answer.status, headers).response()

    def twisted(self, response: Response, change: Callable[[Any], Any]) -> Response:
        body = _parsed(response.get_data())
        changed = change(body)
        if isinstance(changed, Response):
            return changed
        return Answer(body if changed is None else changed, response.status_code).response()


def endless() -> Iterator[bytes]:
    """Yield a body that never ends."""
    while True:
        yield b" " * 65536


def drip(body: bytes, seconds: float) -> Callable[[], Iterator[bytes]]:
    """Return a body that comes byte by byte, with seconds between."""

    def pieces() -> Iterator[bytes]:
        for number in range(len(body)):
            time.sleep(seconds)
            yield body[number : number + 1]

    return pieces


def _parsed(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body
