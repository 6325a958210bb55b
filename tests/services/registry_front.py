"""A front for a real registry: a log of requests, faults by script, and tokens as Docker Hub wants them.

Everything is done by docker-registry behind it; this cannot show what other registries do differently (ECR has no
deletion through this interface, and other words for errors: tests script those).
"""

from __future__ import annotations

import base64
import http.client
import json
import re
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request, Response

from services.back_end import BackEnd
from services.docker import Registry
from services.faults import Call, Fault

__all__ = ["RegistryFront"]

_KINDS = ((r"/manifests/", "manifests"), (r"/blobs/uploads/", "uploads"), (r"/blobs/", "blobs"), (r"/token$", "token"))
_TOKEN = "a-token-for-an-hour"


class RegistryFront(BackEnd):
    """The registry, as engines and clients reach it; with `bearer` it wants a token, and gives one for the login."""

    def __init__(self, registry: Registry, *, bearer: bool = False) -> None:
        super().__init__()
        self.registry = registry
        self.bearer = bearer

    @property
    def host(self) -> str:
        """Host and port, as names of images begin."""
        return f"127.0.0.1:{self.port}"

    def tags(self, repository: str) -> list[str]:
        return self.registry.tags(repository)

    def manifest(self, repository: str, reference: str) -> tuple[str, str]:
        return self.registry.manifest(repository, reference)

    def read(self, request: Request) -> Call:
        kind = next((name for pattern, name in _KINDS if re.search(pattern, request.path)), "ping")
        mutates = request.method not in ("GET", "HEAD")
        return Call(f"{kind}.{request.method.lower()}", mutates, request.headers.get("Authorization", ""))

    def perform(self, call: Call, request: Request) -> Response:
        if call.operation == "token.get":
            good = call.body == self._basic
            return Response(json.dumps({"token": _TOKEN} if good else {}), 200 if good else 401)
        if self.bearer and call.body != f"Bearer {_TOKEN}":
            challenge = f'Bearer realm="{self.url}/token",service="images",scope="repository:x:pull,push"'
            return Response("{}", 401, headers={"WWW-Authenticate": challenge, **_VERSION})
        return self._forwarded(request)

    def error(self, call: Call, fault: Fault) -> Response:
        if fault.code == "ExpiredTokenException":
            words = "Your authorization token has expired. Reauthenticate and try again."
            fault = Fault(403, "DENIED", words)
        told = {"errors": [{"code": fault.code, "message": fault.message}]}
        return Response(json.dumps(told), fault.status, headers=_VERSION, content_type="application/json")

    def throttle(self, operation: str, times: int | None = None) -> None:
        """Refuse for coming too often, as registries do."""
        self.fail(operation, times=times, status=429, code="TOOMANYREQUESTS", message="toomanyrequests: Rate exceeded")

    def twisted(self, response: Response, change: Callable[[Any], Any]) -> Response:
        changed = change(response)
        return response if changed is None else changed

    @property
    def _basic(self) -> str:
        login = f"{self.registry.user}:{self.registry.password}"
        return "Basic " + base64.b64encode(login.encode()).decode()

    def _forwarded(self, request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        if self.bearer:
            headers["Authorization"] = self._basic
        path = request.environ["RAW_URI"]
        link = http.client.HTTPConnection(self.registry.host, timeout=30)
        link.request(request.method, path, body=request.get_data() or None, headers=headers)
        found = link.getresponse()
        body = found.read()
        link.close()
        kept = [(name, value) for name, value in found.getheaders() if name.lower() not in _HOP_BY_HOP]
        answer = Response(body, found.status, headers=dict(kept))
        if request.method == "HEAD":
            answer.headers["Content-Length"] = found.headers["Content-Length"]
        return answer


_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
_HOP_BY_HOP = ("connection", "transfer-encoding", "keep-alive", "content-length")
