"""The common shape of back ends that are web servers of our own: start, stop, a log of requests, faults by script."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from services.faults import Call, Fault, Script


class Quiet(WSGIRequestHandler):
    """Says nothing of requests; answers in one packet, for a second small one would wait 40 ms for the first's ACK."""

    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class BackEnd:
    """A web server on loopback. Those below say what a request asks (`read`), do it (`perform`), and word errors (`error`).

    requests: every request in order, also those that were refused; mutations: those of them that may change something.
    """

    handler: type[WSGIRequestHandler] = Quiet

    def __init__(self) -> None:
        self.requests: list[Call] = []
        self.script = Script()
        self.tls: Any = None
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._good_for: int | None = None
        self._lock = threading.RLock()

    # --- running

    def start(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        self._server = make_server(
            "127.0.0.1", 0, self._app, threaded=True, request_handler=self.handler, ssl_context=self.tls
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        assert self._server is not None, "not started"
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @property
    def mutations(self) -> list[Call]:
        return [call for call in self.requests if call.mutates]

    def calls(self, operation: str) -> list[Call]:
        """Return the requests for one operation."""
        return [call for call in self.requests if call.operation == operation]

    def reset(self) -> None:
        """Forget state, requests and faults."""
        self.requests.clear()
        self.mend()

    def mend(self) -> None:
        """Forget the faults alone."""
        self.script.clear()
        self._good_for = None

    # --- faults

    def fail(
        self,
        operation: str,
        *,
        times: int | None = 1,
        status: int = 500,
        code: str = "InternalFailure",
        message: str = "told to fail",
        after_effect: bool = False,
    ) -> None:
        """Answer an error; with `after_effect` what was asked is done, and only the answer is lost."""
        self.script.add(operation, Fault(status, code, message, after_effect=after_effect), times)

    def throttle(self, operation: str, times: int | None = None) -> None:
        """Refuse for coming too often."""
        self.fail(operation, times=times, status=400, code="ThrottlingException", message="Rate exceeded")

    def answer(self, operation: str, body: Any, *, times: int | None = 1, status: int = 200) -> None:
        """Answer this (bytes, text or something for JSON), unchecked, instead of doing what was asked."""
        self.script.add(operation, Fault(status, body=body), times)

    def twist(self, operation: str, change: Callable[[Any], Any], *, times: int | None = 1) -> None:
        """Answer what is right but for `change`, which is given the answer's body and changes it or returns another."""
        self.script.add(operation, Fault(200, twist=change, after_effect=True), times)

    def drop(self, operation: str, *, times: int | None = 1, after_effect: bool = False) -> None:
        """Close the connection instead of answering."""
        self.script.add(operation, Fault(dropped=True, after_effect=after_effect), times)

    def delay(self, operation: str, seconds: float, *, times: int | None = None) -> None:
        """Do nothing for so long before each answer."""
        self.script.add_delay(operation, seconds, times)

    def expire_credentials(self, after: int = 0) -> None:
        """Refuse all credentials once `after` more requests were answered, until `mend`."""
        with self._lock:
            self._good_for = after

    # --- what a service is

    def read(self, request: Request) -> Call:
        """Tell what a request asks."""
        raise NotImplementedError

    def perform(self, call: Call, request: Request) -> Response:
        """Do what was asked."""
        raise NotImplementedError

    def error(self, call: Call, fault: Fault) -> Response:
        """Word an error as the service does."""
        raise NotImplementedError

    def raw(self, call: Call, body: Any, status: int) -> Response:
        """Return an answer that a test made up: bytes and text as they are, all else as JSON."""
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return Response(data, status, content_type="application/json")

    def twisted(self, response: Response, change: Callable[[Any], Any]) -> Response:
        """Return an answer, changed."""
        raise NotImplementedError

    # --- answering

    def _app(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        request = Request(environ)
        body = request.get_data(cache=True)
        environ["wsgi.input"] = io.BytesIO(body)  # whoever is asked next reads it anew
        call = self.read(request)
        self.requests.append(call)
        time.sleep(self.script.delay(call.operation))
        response = self._answer(call, request)
        if response is None:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("told to")
        return response(environ, start)

    def _answer(self, call: Call, request: Request) -> Response | None:
        if self._expired():
            return self.error(call, EXPIRED)
        fault = self.script.fault(call.operation)
        if fault is None:
            return self.perform(call, request)
        done = self.perform(call, request) if fault.after_effect else None
        if fault.dropped:
            return None
        if fault.twist is not None and done is not None:
            return self.twisted(done, fault.twist) if done.status_code < 300 else done
        if fault.body is not None:
            return self.raw(call, fault.body, fault.status)
        return self.error(call, fault)

    def _expired(self) -> bool:
        with self._lock:
            if self._good_for is None:
                return False
            self._good_for -= 1
            return self._good_for < 0


EXPIRED = Fault(400, "ExpiredTokenException", "The security token included in the request is expired")
