"""Fakes of AWS services that speak JSON with X-Amz-Target, held against AWS's own model in both directions."""

from __future__ import annotations

import json
import traceback
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from werkzeug.wrappers import Request, Response

from services.aws_model import model
from services.back_end import BackEnd
from services.faults import Call, Fault

ACCOUNT, REGION = "123456789012", "us-east-1"
READS = ("Describe", "List", "Get", "BatchGet", "Head")
# Errors that AWS may give from any operation, declared or not.
COMMON = {
    "ThrottlingException",
    "ExpiredTokenException",
    "AccessDeniedException",
    "InternalFailure",
    "ServiceUnavailable",
}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAOPSLIBTESTEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "an-example-of-a-secret-access-key-of-aws",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_PAGER": "",
}


class AwsError(Exception):
    """An error that the service answers: its code, what it says, and its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class JsonService(BackEnd):
    """A fake; each operation is a method `do_NAME(body) -> body`, and `service` is botocore's name.

    A request that is not of the model is refused with `invalid`. An answer of the fake itself that is not (or an error
    that the operation does not declare) is kept in `wrong`, answered with status 500, and `stop` raises for it. The
    patterns of the shapes in `loose` are not looked at.
    """

    service: str
    invalid: str
    loose: frozenset[str] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.model = model(self.service)
        self.wrong: list[str] = []
        self.region = REGION

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which boto3 and the `aws` command line find this service."""
        name = self.model.found.service_id.hyphenize().replace("-", "_").upper()
        return {**CREDENTIALS, f"AWS_ENDPOINT_URL_{name}": self.url}

    def stop(self) -> None:
        super().stop()
        assert not self.wrong, self.wrong

    def reset(self) -> None:
        super().reset()
        self.wrong.clear()

    def read(self, request: Request) -> Call:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            body = json.loads(request.get_data() or b"{}")
        except ValueError:
            body = None
        scope = request.headers.get("Authorization", "").partition("Credential=")[2].split("/")
        self.region = scope[2] if len(scope) > 4 else REGION
        return Call(operation, not operation.startswith(READS), body, self.service)

    def perform(self, call: Call, request: Request) -> Response:
        act = getattr(self, "do_" + call.operation, None)
        if call.operation not in self.model.names or act is None:
            return self.error(call, Fault(400, "UnknownOperationException", f"not faked: {call.operation}"))
        refused = self.model.wrong_request(call.operation, call.body, loose=self.loose)
        try:
            if refused:
                raise AwsError(self.invalid, "; ".join(refused))
            with self._lock:
                body = act(call.body)
        except AwsError as error:
            if error.code not in self.model.errors(call.operation) | COMMON:
                return self._wrong(call, f"{error.code} is not declared")
            return self.error(call, Fault(error.status, error.code, error.message))
        except Exception:
            return self._wrong(call, traceback.format_exc())
        found = self.model.wrong_answer(call.operation, body, loose=self.loose)
        return self._wrong(call, "; ".join(found)) if found else self._json(body)

    def error(self, call: Call, fault: Fault) -> Response:
        return self._json({"__type": fault.code, "message": fault.message}, fault.status)

    def twisted(self, response: Response, change: Callable[[Any], Any]) -> Response:
        body = json.loads(response.get_data())
        changed = change(body)
        return self._json(body if changed is None else changed)

    def _wrong(self, call: Call, what: str) -> Response:
        self.wrong.append(f"{call.operation}: {what}")
        return self._json({"__type": "FakeIsWrong", "message": self.wrong[-1]}, 500)

    def _json(self, body: Any, status: int = 200) -> Response:
        kind = f"application/x-amz-json-{self.model.found.metadata['jsonVersion']}"
        return Response(json.dumps(body), status, content_type=kind, headers={"x-amzn-RequestId": str(uuid.uuid4())})


def page(items: Sequence[Any], token: str | None, size: int | None) -> tuple[list[Any], str | None]:
    """Return a page of a listing and the token of the next; a token is the number of what comes next."""
    first = int(token) if token else 0
    last = len(items) if size is None else first + size
    return list(items[first:last]), str(last) if last < len(items) else None
