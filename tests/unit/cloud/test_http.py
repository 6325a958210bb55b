"""HTTP for cloud tasks: what an answer, or none, means; and that no secret and no hostile byte comes out of it."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import pydantic
import pytest

from opslib.cloud.errors import (
    ExpiredError,
    MalformedError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnknownOutcomeError,
)
from opslib.cloud.http import Http, model_of
from opslib.cloud.patience import Patience


class Site:
    """Answers from a list: (status, headers, body); None closes the connection."""

    def __init__(self):
        self.answers = []
        self.requests = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            """Follows the list."""

            def do_GET(self):
                """Answer."""
                size = int(self.headers.get("Content-Length") or 0)
                site.requests.append((self.command, self.path, dict(self.headers), self.rfile.read(size)))
                answer = site.answers.pop(0)
                if answer is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_args):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def http(self, seconds=5.0, attempt=30.0):
        """Return an interface to it."""
        return Http(
            "shop",
            self.url,
            Patience(seconds, 0.001),
            extra="http",
            headers={"Authorization": "canary"},
            attempt=attempt,
        )


@pytest.fixture
def site():
    """A site of its own for each test."""
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_reading_goes_through_trouble(site):
    """Throttling with and without a date, a broken server, a broken connection, then the answer."""
    site.answers = [
        (429, {"Retry-After": "0"}, b""),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b""),
        (429, {"Retry-After": "soon"}, b""),
        (429, {"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, b""),
        (429, {"Retry-After": "Mon, 01 Jan 0001 00:00:00"}, b""),
        (500, {}, b"oops"),
        None,
        (200, {"X-Thing": "1"}, b'{"a": 1}'),
    ]
    answer = site.http().get("/things", params={"q": "a b"})
    assert (answer.json(), answer.headers["x-thing"]) == ({"a": 1}, "1")
    assert {request[1] for request in site.requests} == {"/things?q=a+b"}
    assert site.requests[0][2]["Authorization"] == "canary"


def test_writing_is_done_once(site):
    """Only what was turned away is sent again."""
    site.answers = [(429, {}, b""), (200, {}, b"{}")]
    site.http().send("POST", "/things", json={"a": 1})
    assert [request[3] for request in site.requests] == [b'{"a": 1}'] * 2
    for lost in ((500, {}, b""), (503, {}, b""), (503, {"Retry-After": "0"}, b""), None):
        site.answers, site.requests[:] = [lost], []
        with pytest.raises(UnknownOutcomeError):
            site.http().send("POST", "/things", json={})
        assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RefusedError),
        (401, ExpiredError),
        (403, RefusedError),
        (404, RefusedError),
        (409, RefusedError),
        (429, ThrottledError),
        (302, MalformedError),
        (500, UnknownOutcomeError),
    ],
)
def test_what_a_status_means(site, status, error):
    """And the words of the service, but nothing of the request's headers."""
    site.answers = [(status, {}, b'{"error": {"code": "no_way", "message": "it\\u001b[2J is\\n closed"}}')] * 40
    with pytest.raises(error, match=r"shop: GET /x: \d+ \(it\?\[2J is closed\)") as caught:
        site.http(0.02).get("/x")
    assert caught.value.status == status
    assert "canary" not in str(caught.value)
    assert status == 429 or caught.value.code == "no_way"


def test_a_netrc_signs_nothing_and_proxies_stay(site, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("default login me password another-canary")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", site.url)
    monkeypatch.setenv("no_proxy", "")
    for headers in ({"Authorization": "canary"}, {}):
        site.answers = [(200, {}, b"{}")]
        Http("shop", "http://shop.example", Patience(5, 0.001), extra="http", headers=headers).get("/things")
    assert [request[1] for request in site.requests] == ["http://shop.example/things"] * 2
    assert [request[2].get("Authorization") for request in site.requests] == ["canary", None]


def test_redirects_are_not_followed(site):
    """They would carry the credentials elsewhere."""
    site.answers = [(307, {"Location": site.url + "/other"}, b"")]
    with pytest.raises(MalformedError):
        site.http().get("/x")
    assert len(site.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100000, b"\xff\xfe", b'{"a": 1'])
def test_an_answer_that_is_no_json(site, body):
    """Is told as that."""
    site.answers = [(200, {}, body)]
    with pytest.raises(MalformedError, match="no JSON"):
        site.http().get("/x").json()


def test_an_endless_answer_is_dropped(site):
    """By its length."""
    site.answers = [(200, {}, b"x" * ((16 << 20) + 1))]
    with pytest.raises(MalformedError, match="longer than 16 MiB"):
        site.http().get("/x")


def test_silence_is_an_unknown_outcome():
    """A listener that never speaks does not hang the run."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        http = Http(
            "shop", f"http://127.0.0.1:{listener.getsockname()[1]}", Patience(5, 0.001), extra="http", attempt=0.1
        )
        with pytest.raises(UnknownOutcomeError, match="no answer within 0.1 seconds"):
            http.send("POST", "/x", json={})


def test_a_closed_port_is_told_plainly():
    """Without the machinery's own words."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ServiceError, match=r"shop: GET /x: the connection failed: .*refused") as caught:
        Http("shop", f"http://127.0.0.1:{port}", Patience(0.05, 0.001), extra="http").get("/x")
    assert "HTTPConnectionPool" not in str(caught.value)


class Thing(pydantic.BaseModel):
    """What is promised."""

    state: Literal["on", "off"]
    size: pydantic.StrictInt = 0


def test_models_refuse_what_they_do_not_know():
    """The first wrong field is named, its value is not shown."""
    assert model_of(list[Thing], [{"state": "on", "more": 1}], "things") == [Thing(state="on")]
    for wrong in ([{"state": "canary"}], [{"size": 1}], {"state": "on"}, [{"state": "on", "size": "canary"}], None):
        with pytest.raises(MalformedError, match="things: the answer makes no sense: ") as caught:
            model_of(list[Thing], wrong, "things")
        assert "canary" not in str(caught.value)
