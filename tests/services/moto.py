"""moto's server for all of AWS that it knows, with a log of requests and faults in front, and its gaps mended.

moto is checked against nothing: it is what its authors know of AWS. Here every JSON and query request is held against
botocore's model too, and `moto_fixes` puts right what would let a test pass that AWS would fail. What moto has not at
all (App Runner, Access Analyzer, `simulate_principal_policy`, "last accessed", CloudTrail's events) a test can script
with `answer`, in the form of boto3's results.
"""

from __future__ import annotations

import functools
import json
import re
import urllib.parse
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
from moto.backends import get_backend
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from services.aws_json import ACCOUNT, CREDENTIALS, REGION
from services.aws_model import model
from services.back_end import BackEnd, Quiet
from services.docker import Registry
from services.faults import Call, Fault
from services.moto_fixes import Fixes

# What changes nothing, by the first word of the operation's name or by the whole name.
READS = re.compile(
    "(Describe|List|Get|BatchGet|Head|Lookup|Filter|Test|Simulate|Search|Query|Validate|BatchCheck|Check|Preview)(?![a-z])"
    "|(StartQuery|StopQuery|StartLiveTail|AssumeRole|GenerateCredentialReport|GenerateServiceLastAccessedDetails)$"
)
SERVICES = (
    *(
        "accessanalyzer",
        "application-autoscaling",
        "ce",
        "cloudtrail",
        "cloudwatch",
        "dynamodb",
        "ecr",
        "ecs",
        "events",
    ),
    *("iam", "kms", "lambda", "logs", "s3", "secretsmanager", "sns", "sqs", "ssm", "sts"),
)


class _Handler(Quiet, MotoRequestHandler):
    """moto's own reading of headers, and no log."""


class Moto(BackEnd):
    """The server; `environment` points every AWS client at it that has no address of its own.

    registry: holds the images of ECR: what is pushed there is in ECR's answers, which name it as the address. It must
    want the login that moto's GetAuthorizationToken gives: `Registry("AWS", Moto.PASSWORD)`.
    """

    PASSWORD = f"{ACCOUNT}-auth-token"

    handler = _Handler

    def __init__(self, registry: Registry | None = None) -> None:
        super().__init__()
        self.registry = registry
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._fixes = Fixes()

    @property
    def environment(self) -> dict[str, str]:
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}

    def start(self) -> Moto:
        self._fixes.apply()
        return super().start()

    def stop(self) -> None:
        super().stop()
        self._fixes.undo()

    def reset(self) -> None:
        """Forget requests and faults, and what moto holds."""
        super().reset()
        Client(self._moto).post("/moto-api/reset").close()

    def read(self, request: Request) -> Call:
        signed = request.headers.get("Authorization", "").partition("Credential=")[2].split("/")
        service = _by_signing_name().get(signed[3] if len(signed) > 4 else "s3", "")
        target = request.headers.get("X-Amz-Target", "")
        if target:
            operation, body = target.rpartition(".")[2], _json(request.get_data())
        elif request.mimetype == "application/x-www-form-urlencoded":
            body = dict(urllib.parse.parse_qsl(request.get_data(as_text=True), keep_blank_values=True))
            operation = body.get("Action", "")
        else:
            operation, body = _rest_operation(service, request), request.get_data()
        return Call(operation, not READS.match(operation), body, service)

    def perform(self, call: Call, request: Request) -> Response:
        if isinstance(call.body, dict) and request.headers.get("X-Amz-Target") and call.service:
            known = model(call.service)
            wrong = known.wrong_request(call.operation, call.body) if call.operation in known.names else []
            if wrong:
                return self.error(call, Fault(400, "ValidationException", "; ".join(wrong)))
        if self.registry is not None and call.service == "ecr":
            return self._ecr(self.registry, request)
        return Response.from_app(self._moto, request.environ)

    def _ecr(self, registry: Registry, request: Request) -> Response:
        """Answer with what was pushed to a real registry, and with its address."""
        self._mirror(registry)
        answer = Response.from_app(self._moto, request.environ)
        address = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
        text = answer.get_data(as_text=True).replace(f"https://{address}", f"http://{address}")
        answer.set_data(text.replace(address, registry.host))
        return answer

    def _mirror(self, registry: Registry) -> None:
        """Let ECR know what was pushed."""
        ecr: Any = get_backend("ecr")[ACCOUNT][REGION]
        for name, repository in ecr.repositories.items():
            for tag in registry.tags(name):
                digest, manifest = registry.manifest(name, tag)
                known = {each.get_image_digest() for each in repository.images if tag in each.image_tags}
                if digest not in known:
                    ecr.put_image(name, manifest, tag)

    def error(self, call: Call, fault: Fault) -> Response:
        protocol = _protocol(call.service)
        if protocol == "query":
            body = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(fault.code)}</Code>"
                f"<Message>{escape(fault.message)}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
            )
            return Response(body, fault.status, content_type="text/xml")
        if protocol == "rest-xml":
            body = f"<Error><Code>{escape(fault.code)}</Code><Message>{escape(fault.message)}</Message></Error>"
            return Response(body, fault.status, content_type="application/xml")
        body = json.dumps({"__type": fault.code, "message": fault.message})
        return Response(body, fault.status, content_type="application/json", headers={"x-amzn-ErrorType": fault.code})

    def raw(self, call: Call, body: Any, status: int) -> Response:
        if isinstance(body, (bytes, str)) or status != 200 or not call.service:
            return super().raw(call, body, status)
        found = get_service_model(call.service).operation_model(call.operation)  # moto's own kind of model
        written = get_serializer_class(call.service, _protocol(call.service))(found).serialize(body)
        return Response(written["body"], written["status_code"], headers=written["headers"])

    def twisted(self, response: Response, change: Callable[[Any], Any]) -> Response:
        text = response.get_data(as_text=True)
        parsed = json.loads(text) if text.startswith("{") else text
        changed = change(parsed)
        body = parsed if changed is None else changed
        response.set_data(body if isinstance(body, str) else json.dumps(body))
        return response


@functools.cache
def _by_signing_name() -> dict[str, str]:
    loaded = botocore.session.get_session()
    return {loaded.get_service_model(name).signing_name: name for name in SERVICES}


def _protocol(service: str) -> str:
    return model(service).found.resolved_protocol if service else "json"


def _json(data: bytes) -> Any:
    try:
        return json.loads(data or b"{}")
    except ValueError:
        return data


def _rest_operation(service: str, request: Request) -> str:
    """Return the operation that a method, a path and the names of a query stand for; the most particular that fits."""
    best, found = -1, f"{request.method} {request.path}"
    for name in sorted(model(service).names) if service else ():  # S3 has some twice, the others for its Express zones
        http = model(service).operation(name).http
        path, _, query = http["requestUri"].partition("?")
        names = {each for each in query.split("&") if each} | _needed(service, name)
        weight = 10 * len(names) + path.count("/") - path.count("+}")
        given = {*request.args, *(f"{key}={value}" for key, value in request.args.items())}
        given |= {key.lower() for key in request.headers.keys()}
        if http["method"] == request.method and names <= given and _path(path).fullmatch(request.path):
            if weight > best:
                best, found = weight, name
    return found


@functools.cache
def _needed(service: str, operation: str) -> frozenset[str]:
    """Return the names of a query's or a header's members that an operation requires."""
    shape = model(service).operation(operation).input_shape
    found = [shape.members[name].serialization for name in shape.required_members] if shape else []
    return frozenset(
        each["name"].lower() if each["location"] == "header" else each["name"]
        for each in found
        if each.get("location") in ("header", "querystring")
    )


@functools.cache
def _path(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\+?\})", text.rstrip("/"))
    made = "".join(
        (".+" if each.endswith("+}") else "[^/]+") if each.startswith("{") else re.escape(each) for each in parts
    )
    return re.compile(made + "/?")
