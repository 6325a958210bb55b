"""What the fakes of Google's REST services share: every request and every answer is held against Google's description."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from werkzeug.wrappers import Request, Response

from services.back_end import BackEnd
from services.discovery import Method, described
from services.faults import Call, Fault

__all__ = ["Answer", "Google", "GoogleCall", "GoogleProblem", "own"]

_CODES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_SILENT = ("upload_id", "$alt")  # of uploads in parts, and of Google's generated clients; no description names them


class GoogleProblem(Exception):
    """A refusal, by the word of google.rpc.Code and with the status of HTTP that goes with it."""

    def __init__(self, code: str, message: str, status: int = 0, *, reason: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.reason = code, message, status or _CODES[code], reason


@dataclass(frozen=True, slots=True)
class GoogleCall(Call):
    """A request as it came: `parts` are those of its path by name, header names are in lower case, `raw` is its body."""

    verb: str = ""
    target: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""
    method: Method | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: bytes, or a list of pieces of them, as they are; None as nothing, anything else as JSON."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """Return it as the web server wants it."""
        body = b"" if self.body is None else self.body
        plain = isinstance(body, bytes) or (isinstance(body, list) and all(isinstance(each, bytes) for each in body))
        headers = {"Content-Type": "application/json; charset=UTF-8", **self.headers}
        return Response(body if plain else json.dumps(body), self.status, headers=headers)


def own(*operations: str, mutates: bool | None = None) -> Any:
    """Let a method of a fake answer operations, named by the end of their names in Google's description."""

    def mark(function: Any) -> Any:
        function.operations, function.mutates = operations, mutates
        return function

    return mark


class Google(BackEnd):
    """A service that Google describes in a document; subclasses answer its operations by methods marked with `own`.

    A request that contradicts the description is refused, as Google does. An answer that does is a defect of the fake:
    it is raised when the fake is stopped.
    """

    document: ClassVar[str] = ""
    variables: ClassVar[Mapping[str, str]] = {}  # of the environment, with the forms of the address they want

    def __init__(self) -> None:
        super().__init__()
        self.description = described(self.document)
        self.state = threading.RLock()
        self.crashes: list[BaseException] = []
        members = [getattr(type(self), name) for name in dir(type(self))]
        self.handlers = {name: each for each in members for name in getattr(each, "operations", ())}
        self.forget()

    def forget(self) -> None:
        """Put the service's own state to its beginning."""

    def reset(self) -> None:
        """Forget state, requests and faults."""
        super().reset()
        with self.state:
            self.forget()

    def stop(self) -> None:
        """Stop listening, and raise what went wrong inside the fake itself."""
        super().stop()
        if self.crashes:
            raise self.crashes.pop()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which programs find this service instead of Google's."""
        return {name: form.format(url=self.url) for name, form in self.variables.items()}

    # --- faults

    def fail(
        self,
        operation: str,
        *,
        times: int | None = 1,
        status: int = 503,
        code: str = "UNAVAILABLE",
        message: str = "told to fail",
        after_effect: bool = False,
    ) -> None:
        """Answer an error; with `after_effect` what was asked is done, and only the answer is lost."""
        super().fail(operation, times=times, status=status, code=code, message=message, after_effect=after_effect)

    def throttle(self, operation: str, times: int | None = None) -> None:
        """Say that a quota is used up."""
        self.fail(operation, times=times, status=429, code="RESOURCE_EXHAUSTED", message="Quota exceeded")

    def expire_credentials(self, after: int = 0) -> None:
        """Refuse all credentials once `after` more requests were answered, until `mend`."""
        super().expire_credentials(after)

    # --- what a service is

    def route(self, path: str) -> str:
        """Return the path under which the description knows what is asked for at another."""
        return path

    def unknown(self, verb: str, path: str) -> str:
        """Return the name of an operation that the description does not hold."""
        return f"{verb} {path}"

    def name_of(self, method: Method, call: GoogleCall) -> str:
        """Return the name of the operation, where one method of the description does several things."""
        return method.name

    def takes_bytes(self, call: GoogleCall) -> bool:
        """Whether a request may carry something else than JSON."""
        return False

    def problem(self, problem: GoogleProblem) -> Answer:
        """Word an error as the service does."""
        told = {"code": problem.status, "message": problem.message, "status": problem.code}
        return Answer({"error": told}, problem.status)

    # --- answering

    def read(self, request: Request) -> GoogleCall:
        headers = {name.lower(): value for name, value in request.headers.items()}
        return self.understand(request.method, request.environ["RAW_URI"], headers, request.get_data())

    def understand(self, verb: str, target: str, headers: Mapping[str, str], raw: bytes) -> GoogleCall:
        """Tell what a request asks; target: as it stands in the first line of the request."""
        parts = urlsplit(target)
        path = self.route(unquote(parts.path) if self.description.prefix == "/" else parts.path)
        verb = headers.get("x-http-method-override", verb)
        found = self.description.find(verb, path)
        method, names = found or (None, {})
        call = GoogleCall(
            operation="",
            mutates=verb not in ("GET", "HEAD"),
            body=_parsed(raw, headers.get("content-type", "")),
            verb=verb,
            target=target,
            parts=names,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=headers,
            raw=raw,
            method=method,
        )
        name = self.name_of(method, call) if method else self.unknown(verb, parts.path)
        changes = getattr(self.handlers.get(name), "mutates", None)
        return _replaced(call, operation=name, mutates=call.mutates if changes is None else changes)

    def perform(self, call: Call, request: Request) -> Response:
        assert isinstance(call, GoogleCall)
        return self.do(call).response()

    def do(self, call: GoogleCall) -> Answer:
        """Do what was asked, as far as it agrees with the description, and see that the answer does."""
        try:
            with self.state:
                self._admit(call)
                answer = self.handlers[call.operation](self, call)
                answer = answer if isinstance(answer, Answer) else Answer(answer)
                self._hold(call, answer)
        except GoogleProblem as problem:
            return self.problem(problem)
        except Exception as error:
            self.crashes.append(error)
            return self.problem(GoogleProblem("INTERNAL", f"the fake is broken: {error!r}", 400))  # not to be retried
        return answer

    def error(self, call: Call, fault: Fault) -> Response:
        if fault.code == "ExpiredTokenException":
            fault = Fault(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        return self.problem(GoogleProblem(fault.code, fault.message, fault.status)).response()

    def twisted(self, response: Response, change: Callable[[Any], Any]) -> Response:
        body = _parsed(response.get_data(), response.content_type or "")
        changed = change(body)
        if isinstance(changed, Response):
            return changed
        return Answer(body if changed is None else changed, response.status_code).response()

    def _admit(self, call: GoogleCall) -> None:
        if call.operation not in self.handlers:
            raise GoogleProblem("UNIMPLEMENTED", f"this fake has no {call.operation}")
        if call.method is None:
            return
        query = {name: value for name, value in call.query.items() if name not in _SILENT}
        wrong = list(self.description.query_problems(call.method, query))
        if not self.takes_bytes(call) or isinstance(call.body, dict):
            if call.raw and call.method.request is None:
                wrong.append(f"{call.method.name} takes no body")
            elif call.raw and call.method.request is not None:
                wrong += self.description.problems(call.method.request, call.body, lenient=True)
        if wrong:
            raise GoogleProblem("INVALID_ARGUMENT", f"Invalid request received. {'; '.join(wrong)}")

    def _hold(self, call: GoogleCall, answer: Answer) -> None:
        schema = call.method.response if call.method else None
        bodies = answer.body if isinstance(answer.body, list) else [answer.body]  # several where the answer is a stream
        bodies = [body for body in bodies if not isinstance(body, bytes) and (body is not None or schema)]
        if answer.status != 200 or call.method is None:
            return
        if schema is None:
            wrong = [f"it answers nothing, not {body!r}" for body in bodies]
        else:
            wrong = [problem for body in bodies for problem in self.description.problems(schema, body)]
        if wrong:
            raise AssertionError(f"{call.operation} was answered wrongly: {'; '.join(wrong)}")


def _replaced(call: GoogleCall, **values: Any) -> GoogleCall:
    from dataclasses import replace

    return replace(call, **values)


def _parsed(raw: bytes, kind: str) -> Any:
    """Return a body that says it is JSON as what it holds, and anything else as it is."""
    if not kind.startswith("application/json"):
        return raw
    try:
        return json.loads(raw)
    except ValueError:
        return raw
