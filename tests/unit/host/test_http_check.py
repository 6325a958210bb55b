"""http_check against real servers on this machine's loopback, and its pure parts."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.client import HTTPException, HTTPResponse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.system import apart
from opslib.host.tasks.http_check import EXCERPT, MISSING, Asked, HttpCheck, differences
from opslib.host.web import dial
from opslib.host.web.dial import Clock, DialError
from opslib.host.web.exchange import Answer, split_url
from opslib.host.web.wire import Stream, read_body, read_head, request
from opslib.host.worker import run_step

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"


class Server:
    """A server on loopback that answers each connection with bytes, or as a function of it likes."""

    def __init__(self, answer, tls=None):
        self.answers = answer if isinstance(answer, list) else [answer]
        self.tls = tls
        self.requests = []
        self.threads = []
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = "%s://127.0.0.1:%d/" % ("https" if tls else "http", self.port)

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while not self.over.is_set():
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            number = min(len(self.threads) - 1, len(self.answers) - 1)
            self._start(self._serve, connection, self.answers[number])

    def _serve(self, connection, answer):
        connection.settimeout(10)
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head and not head.startswith(b"\x16"):  # the latter is TLS
                piece = connection.recv(65536)
                if not piece:
                    break
                head += piece
            self.requests.append(head.decode("utf-8", "replace"))
            if callable(answer):
                answer(self, connection, head)
            else:
                connection.sendall(answer)
        except OSError:
            pass
        finally:
            connection.close()


def drip(prefix, piece):
    """Return an answer that sends a little, again and again, until the server is over or the other side has gone."""

    def answer(server, connection, _head):
        connection.sendall(prefix)
        while not server.over.wait(0.01):
            connection.sendall(piece)

    return answer


def silence(server, _connection, _head):
    server.over.wait(10)


def body(data, kind="application/json", status="200 OK", **headers):
    """Return a whole answer."""
    lines = ["HTTP/1.1 " + status, "Content-Type: " + kind, "Content-Length: %d" % len(data)]
    lines += ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + data


def ask(server, check=False, **args):
    return run_step(HttpCheck, {"url": getattr(server, "url", server), "timeout": 5, **args}, check)


# --- what is right


@pytest.mark.parametrize("check", [False, True])
def test_a_good_answer_is_ok_in_words_and_in_numbers(check):
    with Server(body(b'{"status": "healthy"}')) as server:
        result = ask(server, check, json={"status": "healthy"})
    assert result["status"] == "ok", result
    assert not result["changed"]
    assert re.match(r"http://127\.0\.0\.1:\d+/ answered 200 in [\d.e-]+ s$", result["reason"])
    data = result["data"]
    assert (data["status"], data["size_bytes"], data["attempts"], data["redirects"]) == (200, 21, 1, [])
    assert (data["address"], data["content_type"]) == ("127.0.0.1", "application/json")
    assert data["excerpt"] == '{"status": "healthy"}'
    assert 0 <= data["connect_seconds"] <= data["first_byte_seconds"] <= data["total_seconds"]
    assert "problem" not in data
    assert server.requests[0].startswith("GET / HTTP/1.1\r\n")
    assert "Host: 127.0.0.1:%d\r\n" % server.port in server.requests[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\nServer: bare line ends\n\nhello",
        b"HTTP/1.1 200 OK\r\nX: a\r\n  folded\r\nTransfer-Encoding: chunked\r\n\r\n5;e=1\r\nhello\r\n0\r\nT: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello and more",
    ],
)
def test_answers_in_unusual_but_valid_form_are_read(answer):
    with Server(answer) as server:
        assert ask(server)["status"] == "ok"


def test_status_may_be_one_or_several_and_head_has_no_body():
    with Server(b"HTTP/1.1 204 No Content\r\nContent-Length: 10\r\n\r\n") as server:
        assert ask(server, status=204, method="HEAD")["status"] == "ok"
        assert ask(server, status="200,204")["status"] == "ok"
        assert ask(server, status=[200, 201])["data"]["problem"] == "status"
    assert server.requests[0].startswith("HEAD / HTTP/1.1\r\n")


def test_headers_go_out_and_come_back():
    with Server(body(b"x", kind="Text/HTML; charset=utf-8", X_Two="one")) as server:
        good = {"content-type": "text/html", "X-Two": ""}
        sent = {"Host": "shop.example", "X-Thing": "thing"}
        assert ask(server, header=good, request_headers=sent)["status"] == "ok"
        missing = ask(server, header={"X-Three": "1"})
        lacking = ask(server, header={"X-Two": "two"})
    assert missing["error"].endswith("its answer has no header X-Three")
    assert lacking["error"].endswith('its header X-Two is "one", which lacks "two"')
    assert server.requests[0].count("Host: ") == 1
    assert "Host: shop.example\r\n" in server.requests[0]
    assert "X-Thing: thing\r\n" in server.requests[0]


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    with Server(OK) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert ask(server)["status"] == "ok"


def test_plain_http_imports_neither_ssl_nor_http_client_nor_json():
    code = (
        "import sys; url, folder = sys.argv[1:]; package = sys.modules['opslib'] = type(sys)('opslib');"
        "package.__path__ = [folder]; from opslib.host.web.exchange import fetch; answer = fetch(url, timeout=5);"
        "print(answer.status, [m for m in ('ssl', 'socket', 'http.client', 'json') if m in sys.modules])"
    )
    folder = apart.__file__.rpartition("/host/")[0]
    with Server(OK) as server:
        argv = [sys.executable, "-S", "-c", code, server.url, folder]
        done = subprocess.run(argv, stdout=subprocess.PIPE, timeout=30, check=True)
    assert done.stdout.decode().strip() == "200 []"


# --- what is wrong, in words


@pytest.mark.parametrize(
    ("answer", "args", "problem", "words"),
    [
        (
            body(b"", status="503 Service Unavailable"),
            {},
            "status",
            "it answered 503 Service Unavailable, expected 200",
        ),
        (body(b"{}", status="404 Not Found"), {"status": [200, 204]}, "status", "404 Not Found, expected 200 or 204"),
        (body(b"<html>Login</html>", "text/html"), {"json": {}}, "html", "HTML where JSON was expected"),
        (body(b"  <!doctype html>", "application/json"), {"json": {}}, "html", "HTML where JSON was expected"),
        (body(b""), {"json": {}}, "json", "its body is empty where JSON was expected"),
        (body(b"{'a': 1}"), {"json": {}}, "json", "its body is no JSON: "),
        (body(b"[" * 100000), {"json": {}}, "json", "its body is no JSON: "),
        (body(b"\xff\xfe{"), {"json": {}}, "json", "its body is no JSON: "),
        (body(b'{"a": {"b": "down"}}'), {"json": {"a": {"b": "up"}}}, "json", 'a.b is "down", expected "up"'),
        (body(b'{"a": {}}'), {"json": {"a": {"b": 1}}}, "json", "its JSON has no a.b; expected 1"),
        (body(b'{"a": [1, 2]}'), {"json": {"a": [1, 3]}}, "json", "its JSON's a[1] is 2, expected 3"),
        (body(b'{"a": 1}'), {"json": {"a": True}}, "json", "its JSON's a is 1, expected true"),
        (body(b"[]"), {"json": {"a": 1}}, "json", 'outermost value is [], expected {"a":1}'),
        (body(b"all is well"), {"contains": "ill"}, "text", 'its body lacks the text "ill"'),
        (body(b"Traceback (most"), {"absent": "Traceback"}, "text", 'its body holds the text "Traceback"'),
        (body(b"x" * 11), {"max_size": 10}, "size", "its body is longer than 10 bytes (max_size)"),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 999), {"max_size": 5000}, "size", "longer than 5000 bytes"),
        (
            drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
            {"max_size": 5000},
            "size",
            "longer than 5000 bytes",
        ),
        (body(b"\x1f\x8b", Content_Encoding="gzip"), {"contains": "x"}, "protocol", "its body is compressed (gzip)"),
        (silence, {"timeout": 0.2}, "timeout", "time ran out after 0.2 seconds, while waiting for its answer"),
        (drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"), {"timeout": 0.3}, "timeout", "while waiting for its answer"),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), {"timeout": 0.3}, "timeout", "while reading the body"),
        (b"", {}, "closed", "it closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\nX:", {}, "closed", "it closed the connection before its answer's end"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", {}, "closed", "before its answer's end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", {}, "closed", "before its answer's end"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", {}, "protocol", "its answer is no HTTP/1: 'SSH-2.0-OpenSSH_9.2p1'"),
        (b"\x15\x03\x03\x00\x02\x02\x50\n", {}, "protocol", "this port speaks TLS; use https://"),
        (b"HTTP/1.1 2OO OK\r\n\r\n", {}, "protocol", "its answer is no HTTP/1: 'HTTP/1.1 2OO OK'"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", {}, "protocol", "the header 'no colon'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", {}, "protocol", "Content-Length is '-1'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab", {}, "protocol", "Content-Length is"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", {}, "protocol", "a chunk of 'xyz' bytes"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99999, {}, "protocol", "a line of more than"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 99, {}, "protocol", "it begins again and again"),
        (b"x" * 99999, {}, "protocol", "a line of more than 65536 bytes"),
        (lambda _s, c, _h: (time.sleep(0.05), c.sendall(OK)), {"max_latency": 0.01}, "slow", "longer than 0.01 s"),
    ],
)
def test_each_fault_is_told_apart(answer, args, problem, words):
    with Server(answer) as server:
        result = ask(server, **args)
    assert result["status"] == "failed"
    assert result["data"]["problem"] == problem, result["error"]
    assert words in result["error"]
    assert result["error"].startswith(server.url + ": ")


def test_a_body_of_exactly_the_limit_is_fine():
    with Server(body(b"x" * 10)) as server:
        assert ask(server, max_size=10)["status"] == "ok"


def test_text_is_compared_in_the_charset_of_the_answer():
    with Server(body("Müller".encode("latin-1"), "text/plain; charset=ISO-8859-1")) as server:
        assert ask(server, contains="Müller")["status"] == "ok"
    with Server(body("Müller".encode(), "text/plain; charset=nonsense")) as server:
        assert ask(server, contains="Müller")["status"] == "ok"


def test_nothing_listens():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        result = ask("http://127.0.0.1:%d/x" % port)
    assert result["data"]["problem"] == "refused"
    assert "connection refused: nothing listens on 127.0.0.1 port %d" % port in result["error"]
    assert result["data"]["status"] is None


def test_nobody_accepts_the_connection():
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # fill the queue of connections
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        result = ask("http://127.0.0.1:%d/" % listener.getsockname()[1], timeout=0.3)
    assert result["data"]["problem"] == "timeout"
    assert "accepted no connection" in result["error"]


@pytest.mark.parametrize(
    ("answer", "problem", "words"),
    [
        ("Name or service not known", "name", "the name shop.invalid does not resolve: Name or service not known"),
        (None, "timeout", "while looking up its name"),
    ],
)
def test_a_name_that_does_not_resolve(monkeypatch, answer, problem, words):
    monkeypatch.setattr(apart, "ask", lambda _question, items, _timeout: [answer for _ in items])
    result = ask("http://shop.invalid/")
    assert result["data"]["problem"] == problem
    assert words in result["error"]


def test_a_name_with_several_addresses_is_tried_until_one_answers(monkeypatch):
    with Server(OK) as server, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        places = [dial._look_up(("127.0.0.1", port, 0))[0] for port in (bound.getsockname()[1], server.port)]
        monkeypatch.setattr(apart, "ask", lambda *_: [places])
        assert ask("http://shop.invalid:%d/" % server.port)["status"] == "ok"
        monkeypatch.setattr(apart, "ask", lambda *_: [places[:1]])
        assert ask("http://shop.invalid:%d/" % server.port)["data"]["problem"] == "refused"


def test_localhost_needs_no_look_up(monkeypatch):
    monkeypatch.setattr(apart, "ask", None)
    with Server(OK) as server:
        result = ask("http://localhost:%d/" % server.port)
    assert (result["status"], result["data"]["address"]) == ("ok", "127.0.0.1")


def test_the_look_up_itself_returns_plain_values_or_words():
    assert dial._try_look_up(("127.0.0.1", 80, 0))[0][4] == ("127.0.0.1", 80)
    assert isinstance(dial._try_look_up(("a" * 300, 80, 0)), str)


# --- retries


def test_it_asks_until_the_answer_is_right():
    bad = body(b"", status="503 Service Unavailable")
    with Server([bad, bad, OK]) as server:
        result = ask(server, wait=20, interval=0.05)
    assert (result["status"], result["data"]["attempts"]) == ("ok", 3)


def test_it_gives_up_when_the_time_is_over_and_tells_the_last_fault():
    with Server(body(b"", status="503 Service Unavailable")) as server:
        result = ask(server, wait=0.4, interval=0.05)
    assert result["status"] == "failed"
    assert result["data"]["attempts"] > 1
    assert "503" in result["error"]
    assert "(the last of %d attempts in" % result["data"]["attempts"] in result["error"]


# --- redirects


def test_redirects_are_off_unless_told():
    with Server(OK) as second, Server(body(b"", status="302 Found", Location=second.url + "x")) as first:
        off = ask(first)
        on = ask(first, redirects=1)
        expected = ask(first, status=302)
    assert off["data"]["problem"] == "redirect"
    assert "it redirects to %sx: ask for that URL, or give redirects: 1" % second.url in off["error"]
    assert (on["status"], on["data"]["redirects"], on["data"]["url"]) == ("ok", [first.url], second.url + "x")
    assert expected["status"] == "ok"


def test_a_relative_redirect_keeps_the_headers_and_another_origin_does_not_get_them():
    secret = {"Authorization": "Bearer 0123456789abcdef"}
    with Server(OK) as second, Server([b"", OK]) as first:
        first.answers[0] = body(b"", status="301 Moved", Location="/there?x=1")
        assert ask(first, redirects=1, request_headers=secret)["status"] == "ok"
        assert first.requests[1].startswith("GET /there?x=1 HTTP/1.1\r\n")
        assert "Bearer 0123456789abcdef" in first.requests[1]
        with Server(body(b"", status="307 Temporary", Location=second.url)) as third:
            assert ask(third, redirects=1, request_headers=secret)["status"] == "ok"
        assert "Bearer" in third.requests[0]
        assert "Bearer" not in second.requests[0]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "it answered 302"),
        ("/again", "it redirects more than 2 times, next to /again"),
        ("ftp://x/", "it redirects to 'ftp://x/', which is no http or https URL"),
        ("http://user:word@x/", "which is no http or https URL"),
        ("http://x y/", "which is no http or https URL"),
        ("http://[::1", "which is no http or https URL"),
    ],
)
def test_redirects_that_lead_nowhere(place, words):
    with Server(body(b"", status="302 Found", Location=place)) as server:
        result = ask(server, redirects=2)
    assert result["data"]["problem"] == ("redirect" if place else "status")
    assert len(server.requests) == (3 if place == "/again" else 1)
    assert words in result["error"]


# --- secrets


@pytest.mark.parametrize(
    "echo",
    [
        lambda s: body(b"x" * (EXCERPT - 30) + s.encode()),
        lambda s: body(json.dumps({"a": "y" * 70 + s}).encode()),
        lambda s: body(b"", status="500 no entry for " + s),
        lambda s: body(b"", status="302 Found", Location="/" + s),
        lambda s: body(b"", X_Echo=s),
        lambda s: b"SSH " + s.encode() + b"\r\n",
        lambda s: b"HTTP/1.1 200 OK\r\n" + s.encode() + b"\r\n\r\n",
    ],
)
@pytest.mark.parametrize("header", ["Authorization", "Cookie", "X-Api-Key"])
def test_no_secret_is_echoed_not_even_a_part_of_one(echo, header):
    secret = "s3cr3t-" + "0123456789abcdefghij" * 4
    value = {"Authorization": "Bearer " + secret, "Cookie": "a=b; sid=" + secret, "X-Api-Key": secret}[header]
    args = {"request_headers": {header: value}, "json": {"a": "z"}, "header": {"X-Echo": "none"}, "redirects": 0}
    with Server(echo(secret)) as server:
        for left_out in ("", "header", "json"):
            result = ask(server, **{key: item for key, item in args.items() if key != left_out})
            assert "s3cr3t" not in repr(result)
            assert "0123456789" not in repr(result)
    assert secret in server.requests[0]
    assert secret not in repr(HttpCheck(url=server.url, request_headers={header: value}))


def test_headers_that_hold_no_secret_are_not_masked():
    with Server(body(b'{"a": 1}')) as server:
        result = ask(server, request_headers={"Accept": "application/json"})
    assert result["data"]["content_type"] == "application/json"


def test_control_characters_of_a_server_are_not_repeated():
    with Server(body(b"\x1b[31mred\x07\n\xff", status="500 \x1b[0m")) as server:
        result = ask(server)
    assert "\x1b" not in repr(result).encode().decode("unicode_escape").replace("\\x1b", "")
    assert all(c.isprintable() for c in result["error"] + result["data"]["excerpt"])


# --- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return a folder with an authority of our own, and certificates of it: good, expired, of another host."""
    folder = tmp_path_factory.mktemp("authority")
    assert shutil.which("openssl"), "the openssl program is needed to make certificates"
    (folder / "index").write_text("")
    (folder / "conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndir=%(f)s\ndatabase=%(f)s/index\nnew_certs_dir=%(f)s\nrand_serial=yes\npolicy=p\n"
        "default_md=sha256\nunique_subject=no\ncertificate=%(f)s/ca.pem\nprivate_key=%(f)s/ca.key\n"
        "[p]\ncommonName=supplied\n[req]\ndistinguished_name=n\n[n]\n[authority]\nbasicConstraints=critical,CA:true\n"
        "keyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n"
        "[here]\nsubjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        "[other]\nsubjectAltName=DNS:other.example\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        % {"f": folder}
    )

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=str(folder), check=True, stdout=-3, stderr=-3, timeout=60)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", "conf"]
    for name, subject in (("ca", "/CN=our authority"), ("alone", "/CN=alone")):
        files = ["-keyout", name + ".key", "-out", name + ".pem"]
        openssl("req", "-x509", *key, *files, "-subj", subject, "-extensions", "authority", "-days", "3650")
    for name, section, start, end in (
        ("good", "here", "20200101000000Z", "20990101000000Z"),
        ("expired", "here", "20200101000000Z", "20210101000000Z"),
        ("future", "here", "20980101000000Z", "20990101000000Z"),
        ("other", "other", "20200101000000Z", "20990101000000Z"),
    ):
        openssl("req", "-new", *key, "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        dates = ["-startdate", start, "-enddate", end]
        openssl("ca", "-batch", "-config", "conf", "-in", name + ".csr", "-out", name + ".pem", "-extensions", section,
                *dates, "-notext")  # fmt: skip
    return folder


def secured(authority, name, **settings):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(authority / (name + ".pem")), str(authority / (name + ".key")))
    for key, value in settings.items():
        setattr(context, key, value)
    return context


def test_tls_with_a_good_certificate(authority):
    with Server(body(b"{}"), secured(authority, "good")) as server:
        result = ask(server, ca_file=str(authority / "ca.pem"))
    assert result["status"] == "ok", result["error"]


@pytest.mark.parametrize(
    ("name", "ca", "words"),
    [
        ("good", None, "its certificate comes from an unknown authority"),
        ("expired", "ca.pem", "its certificate has expired"),
        ("future", "ca.pem", "its certificate is not valid yet"),
        ("other", "ca.pem", "its certificate is for another"),
        ("alone", None, "its certificate is self-signed"),
        ("good", "missing.pem", "ca_file"),
        ("good", "conf", "ca_file"),
    ],
)
def test_a_certificate_that_is_not_accepted(authority, name, ca, words):
    with Server(OK, secured(authority, name)) as server:
        result = ask(server, **({"ca_file": str(authority / ca)} if ca else {}))
    assert result["data"]["problem"] == "tls", result["error"]
    assert words in result["error"]
    assert not server.requests


def test_https_where_there_is_no_tls():
    with Server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        result = ask(server.url.replace("http", "https"))
    assert result["data"]["problem"] == "tls"
    assert "this port does not speak TLS; use http://" in result["error"]


def test_http_where_there_is_tls(authority):
    with Server(OK, secured(authority, "good")) as server:
        result = ask(server.url.replace("https", "http"))
    assert result["data"]["problem"] in ("protocol", "closed")


def test_a_server_that_never_agrees_on_tls():
    with Server(silence) as server:
        result = ask(server.url.replace("http", "https"), timeout=0.3)
    assert result["data"]["problem"] == "timeout"
    assert "while agreeing on TLS" in result["error"]


def test_a_server_that_hangs_up_amid_tls():
    with Server(lambda *_: None) as server:
        result = ask(server.url.replace("http", "https"), timeout=2)
    assert result["data"]["problem"] == "tls"
    assert "it closed the connection while agreeing on TLS" in result["error"]


def test_a_redirect_from_https_to_http_is_refused(authority):
    with Server(OK) as plain:
        answer = body(b"", status="301 Moved", Location=plain.url)
        with Server(answer, secured(authority, "good")) as server:
            result = ask(server, redirects=3, ca_file=str(authority / "ca.pem"))
    assert result["data"]["problem"] == "redirect"
    assert "which has no TLS" in result["error"]
    assert not plain.requests


# --- parameters

URL = "http://127.0.0.1:8000/health"
HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\x1b[31m", "\udcff", "", [], {}, 1e400, object()]
WRONG = {
    "url": ["/x", "ftp://x/", "http://", "http://:80/", "http://x:99999/", "http://a b/", "http://u:p@x/", "http://[:1/"],
    "status": [99, 600, "ok", [], [200, "x"], True, 200.5],
    "method": ["POST", "get", "-X"],
    "json": ["{}", [1], {1: 2}, {"a": {2: 3}}, {"a": object()}],
    "contains": ["a\0b", [], "x" * 70000],
    "absent": ["a\0b", [], "x" * 70000],
    "header": ["x", {"a b": "c"}, {"": "x"}, {"a:": "x"}, {"a": "b\r\nc: d"}, {"a": "ü"}, {"a": ["b"]}, {"a\n": "b"}],
    "request_headers": [
        "x", {"a b": "c"}, {"a": "b\r\nc: d"}, {"a": "b\nc"}, {"a": "ü"}, {"Content-Length": "5"},
        {"transfer-encoding": "chunked"}, {"a": "\udcff"}, {"é": "b"}, {"a": "x\x7f"},
    ],
    "max_latency": [0, -1, "soon"],
    "timeout": [0, -1, "soon", "5 parsecs"],
    "wait": [-1, "long", float("nan")],
    "interval": [0, -1, "x"],
    "redirects": [-1, 21, "x", 1.5],
    "max_size": [0, -1, "big", float("inf")],
    "ca_file": ["ca.pem", "/a/../b", "/a\0b", "/a\nb"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_bad_values_are_refused_by_name(name, value):
    with pytest.raises(ParamError) as caught:
        HttpCheck(**{"url": URL, name: value})
    assert re.match(r"http_check: .*" + name, str(caught.value))


@pytest.mark.parametrize("name", sorted(set(WRONG) - {"contains", "absent", "json", "header", "request_headers"}))
@pytest.mark.parametrize("value", HOSTILE[:7] + HOSTILE[9:])
def test_hostile_values_are_refused_by_name(name, value):
    with pytest.raises(ParamError, match="http_check: .*" + name):
        HttpCheck(**{"url": URL, name: value})


def test_every_parameter_has_bad_values_above():
    assert set(WRONG) == set(HttpCheck.parameters())


def test_secrets_are_not_repeated_in_refusals():
    for value in ("word-1\nword-1", "wörd-1", "word-1\0"):
        with pytest.raises(ParamError) as caught:
            HttpCheck(url=URL, request_headers={"Authorization": value})
        assert "rd-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"method": "HEAD", "json": {}}, "need method GET"),
        ({"method": "HEAD", "contains": "x"}, "need method GET"),
        ({"ca_file": "/ca.pem"}, "ca_file is for https"),
    ],
)
def test_contradictions(args, words):
    with pytest.raises(ParamError, match=words):
        HttpCheck(url=URL, **args)


def test_arguments_are_canonical():
    task = HttpCheck(url=URL, status="204", timeout="500ms", max_size="2K", json={"a": [1, None]})
    assert task.args()["status"] == [204]
    assert HttpCheck(**json.loads(json.dumps(task.args()))) == task


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://a", (False, "a", 80, "/", "a")),
        ("HTTPS://A.Example/b?c#d", (True, "a.example", 443, "/b?c", "a.example")),
        ("http://a:443?q=/x", (False, "a", 443, "/?q=/x", "a:443")),
        ("https://a:443/", (True, "a", 443, "/", "a")),
        ("http://[::1]/x", (False, "::1", 80, "/x", "[::1]")),
        ("http://[::1]:8080", (False, "::1", 8080, "/", "[::1]:8080")),
    ],
)
def test_split_url(url, parts):
    found = split_url(url)
    assert (found.secure, found.host, found.port, found.path, found.authority) == parts


@pytest.mark.parametrize("url", ["http://[::1", "http://[]/", "http://[x]/", "http://a]b/", "http://[::1]x/"])
def test_split_url_refuses(url):
    with pytest.raises(ParamError):
        split_url(url)


# --- properties

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value):
    assert not list(differences(value, value))


@given(
    st.dictionaries(st.text(min_size=1, max_size=2), VALUES), st.dictionaries(st.text(min_size=1, max_size=2), VALUES)
)
def test_more_than_expected_is_no_difference_and_less_is_one(expected, more):
    assert not list(differences(expected, {**more, **expected}))
    for key in expected:
        found = {name: value for name, value in expected.items() if name != key}
        assert [(path, value) for path, _want, value in differences(expected, found)] == [(key, MISSING)]


@given(VALUES, VALUES)
def test_equal_json_texts_are_the_only_full_matches_both_ways(one, other):
    both = not list(differences(one, other)) and not list(differences(other, one))
    assert both == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@given(
    status=st.integers(200, 599),
    content=st.binary(max_size=50),
    latency=st.floats(0, 10),
    limit=st.floats(0.001, 10),
    attempts=st.integers(1, 5),
)
def test_the_plan_is_pure_and_limits_are_monotone(status, content, latency, limit, attempts):
    answer = Answer(url=URL, status=status, body=content, total_seconds=latency)
    state = Asked(answer=answer, attempts=attempts, waited=latency)
    task = HttpCheck(url=URL, max_latency=limit)
    plan = task.plan(state)
    assert plan == task.plan(state)
    assert not plan.changes
    assert bool(plan.failure) != bool(plan.reason)
    assert bool(plan.reason) == (status == 200 and latency <= limit)
    if plan.reason:
        assert HttpCheck(url=URL, max_latency=limit * 2).plan(state).reason
    json.dumps(plan.data)


class Pieces:
    """A socket that gives bytes in pieces."""

    def __init__(self, data, sizes):
        self.data, self.sizes = data, list(sizes)

    def settimeout(self, _seconds):
        pass

    def recv(self, most):
        size = min(self.sizes.pop() if self.sizes else most, most)
        piece, self.data = self.data[:size], self.data[size:]
        return piece

    def makefile(self, _mode):
        return io.BytesIO(self.data)


def ours(data, sizes):
    stream = Stream(Pieces(data, sizes), Clock(60))
    try:
        status, phrase, headers = read_head(stream)
        return status, phrase, headers, read_body(stream, status, headers, 1 << 20)[0]
    except DialError as error:
        return error.kind


def theirs(data):
    response = HTTPResponse(Pieces(data, []))
    try:
        response.begin()
        return response.status, response.reason, response.getheaders(), response.read()
    except (HTTPException, ValueError) as error:
        return type(error).__name__
    finally:
        response.close()


TOKENS = st.text("abcXYZ-09", min_size=1, max_size=8)
TEXTS = st.text("abc ,;=09", max_size=12).map(str.strip)


@given(
    status=st.integers(200, 599).filter(lambda code: code not in (204, 304)),  # these have no body, RFC 9112 6.3
    phrase=TEXTS,
    headers=st.lists(st.tuples(TOKENS.map(lambda name: "X-" + name), TEXTS), max_size=5),
    content=st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    framing=st.sampled_from(["length", "chunked", "close"]),
    sizes=st.lists(st.integers(1, 20), max_size=30),
)
def test_answers_are_read_as_the_standard_library_reads_them(status, phrase, headers, content, framing, sizes):
    whole = b"".join(content)
    lines = ["HTTP/1.1 %d %s" % (status, phrase), *["%s: %s" % item for item in headers]]
    if framing == "length":
        lines.append("Content-Length: %d" % len(whole))
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        whole = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in content) + b"0\r\n\r\n"
    data = ("\r\n".join(lines) + "\r\n\r\n").encode() + whole
    assert ours(data, sizes) == theirs(data)


@settings(max_examples=300)
@given(st.binary(max_size=200), st.lists(st.integers(1, 20), max_size=10))
def test_garbage_ends_in_an_answer_or_in_words(data, sizes):
    for prefix in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        found = ours(prefix + data, sizes)
        assert found in ("closed", "protocol") or found[0] >= 101


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_request_is_one_request_or_none(name, value):
    try:
        data = request("GET", "/", {name: value})
    except (ValueError, UnicodeEncodeError):
        return
    assert data.count(b"\r\n") == 3
    assert data.endswith(b"\r\n\r\n")
