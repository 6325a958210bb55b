"""The protocol: passwords are proven, errors are told apart by their codes, and a stranger is no PostgreSQL."""

from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.postgres import faults
from opslib.host.postgres.faults import PostgresError
from opslib.host.postgres.scram import Scram, ScramError, md5_answer
from opslib.host.postgres.session import Session, literal, quoted
from opslib.host.postgres.settings import Settings
from opslib.host.task import TaskError
from opslib.host.tasks.postgres_check import PostgresCheck
from opslib.host.worker import run_step


def message(kind, body):
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def refusal(code, words="abgelehnt: \x1b[31m", severity="FATAL"):
    fields = "S%s\0C%s\0M%s\0\0" % (severity, code, words)
    return message(b"E", fields.encode())


LOGGED_IN = message(b"R", b"\0\0\0\0") + message(b"S", b"server_version\0" + b"16.1\0") + message(b"Z", b"I")


class Server:
    """Answers each thing that it is sent with the next of its lines; then it closes, or waits."""

    def __init__(self, *lines, wait=False):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.heard = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve, args=(lines, wait))

    def serve(self, lines, wait):
        connection, _address = self.socket.accept()
        with connection:
            for line in lines:
                self.heard.append(connection.recv(65536))
                connection.sendall(line)
            if wait:
                self.over.wait(10)
            else:
                connection.settimeout(5)
                try:
                    connection.recv(65536)
                except OSError:
                    pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_error):
        self.over.set()
        self.thread.join()
        self.socket.close()

    def settings(self, **changes):
        given = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "u",
            "database": "d",
            "password": "pencil",
            "timeout": 3,
        }
        return Settings(**dict(given, **changes))


def fails(*lines, **changes):
    with Server(*lines) as server, pytest.raises(PostgresError) as error:
        Session(server.settings(**changes))
    return error.value


@pytest.mark.parametrize(
    ("code", "stage", "words"),
    [
        ("28P01", "credentials", "the password of role u is wrong, or there is no such role"),
        ("28000", "credentials", "the server does not accept role u"),
        ("3D000", "database", "there is no database d"),
        ("53300", "connections", "the server has no connection left"),
        ("57P03", "server", "the server is up, but takes no connections now"),
        ("42501", "database", "role u may not connect to database d"),
        ("XX000", "server", "the server refused the connection"),
    ],
)
def test_errors_are_told_apart_in_any_language(code, stage, words):
    error = fails(b"N", refusal(code))
    assert (error.stage, error.code) == (stage, code)
    assert words in str(error)
    assert "abgelehnt: \\x1b[31m (%s)" % code in str(error)


def test_access_rules_are_an_error_of_their_own():
    assert fails(b"N", refusal("28000", "no pg_hba.conf entry")).stage == "rejected"


@pytest.mark.parametrize(
    ("lines", "stage", "words"),
    [
        ([b"N"], "reach", "it closed the connection while waiting for its answer to the request to log in"),
        ([b""], "reach", "it closed the connection"),
        ([b"SSH-2.0-OpenSSH\r\n"], "reach", "what answers there is not PostgreSQL; it says SSH-2.0-OpenSSH"),
        ([b"HTTP/1.1 400"], "reach", "what answers there is not PostgreSQL"),
        ([refusal("53300")], "connections", "no connection left"),
        ([b"N", b"R\xff\xff\xff\xff"], "reach", "is not PostgreSQL"),
        ([b"N", message(b"Q", b"?")], "reach", "is not PostgreSQL"),
        (
            [b"N", message(b"R", b"\0\0\0\x07")],
            "credentials",
            "a way to authenticate that is not known here (number 7)",
        ),
        ([b"N", message(b"R", b"\0\0\0\x03")], "tls", "wants the password in the clear"),
        ([b"N", message(b"R", b"\0\0\0\x0aOTHER\0\0")], "credentials", "not known here (number 10)"),
        (
            [b"N", message(b"R", b"\0\0\0\x0aSCRAM-SHA-256\0\0"), message(b"R", b"\0\0\0\x0br=x,s=,i=1")],
            "credentials",
            "does not belong",
        ),
    ],
)
def test_servers_that_are_none(lines, stage, words):
    error = fails(*lines) if lines != [b""] else fails()
    assert error.stage == stage, error
    assert words in str(error)


def test_a_password_is_asked_for_and_none_given():
    error = fails(b"N", message(b"R", b"\0\0\0\x05salt"), password=None)
    assert "asks for a password, and none was given" in str(error)


def test_tls_is_asked_for_and_not_had():
    assert fails(b"N", sslmode="require").stage == "tls"
    assert fails(b"S", sslmode="require").stage == "tls"


def test_a_listener_that_never_speaks():
    with Server(wait=True) as server:
        result = run_step(
            PostgresCheck, {"host": "127.0.0.1", "port": server.port, "user": "u", "connect_timeout": 0.2}, False
        )
    assert result["data"]["wrong"] == "reach"
    assert "time ran out after 0.2 seconds, while waiting for its answer to the request for TLS" in result["error"]


def row(*values):
    body = len(values).to_bytes(2, "big")
    for value in values:
        body += b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value
    return message(b"D", body)


def test_rows():
    answer = message(b"1", b"") + row(b"a", None, b"\xff") + row(b"", b"b", b"c") + message(b"Z", b"I")
    with Server(b"N", LOGGED_IN, answer) as server, Session(server.settings()) as session:
        assert session.parameters["server_version"] == "16.1"
        assert session.rows("SELECT $1", "it's", None, 5) == [["a", None, "\udcff"], ["", "b", "c"]]
    assert b"it's" in server.heard[2]
    assert b"pencil" not in b"".join(server.heard)


def test_a_statement_that_fails_and_one_that_is_cut_off():
    wrong = refusal("42P01", severity="ERROR") + message(b"Z", b"I")
    with Server(b"N", LOGGED_IN, wrong, refusal("57P01")) as server, Session(server.settings()) as session:
        with pytest.raises(PostgresError) as error:
            session.rows("SELECT")
        assert (error.value.stage, error.value.code) == ("query", "42P01")
        with pytest.raises(PostgresError) as error:
            session.rows("SELECT")
        assert error.value.stage == "server"
        assert "the server ended the connection" in str(error.value)


@given(st.binary(max_size=300))
def test_no_answer_does_harm(data):
    assert isinstance(faults.parse_error(data), dict)


# Passwords


def test_scram_as_rfc_7677_has_it():
    scram = Scram("pencil", "rOprNGfwEbeRWgbNEkqO", "user")
    assert scram.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    proof = scram.proof(challenge)
    assert proof.endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    scram.confirm(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    with pytest.raises(ScramError, match="it does not know the password itself"):
        scram.confirm(b"v=AAAA")


@pytest.mark.parametrize(
    "challenge", [b"", b"r=x", b"r=n,s=!,i=1", b"r=n1,s=AAAA,i=0", b"r=n1,s=AAAA,i=99999999999", b"\xff"]
)
def test_challenges_that_are_none(challenge):
    with pytest.raises(ScramError):
        Scram("pencil", "n").proof(challenge)


def test_md5_as_openssl_makes_it():
    assert md5_answer("user", "pencil", b"salt") == b"md5d3d9bcccbaa2fb5234570d4d0f22b055"


# Quoting


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20))
def test_names_and_texts_are_quoted(text):
    name = quoted(text)
    assert name[0] == name[-1] == '"'
    assert name[1:-1].replace('""', "") == text.replace('"', "")
    shown = literal(text)
    assert shown.endswith("'")
    assert shown.count("'") % 2 == 0
    assert ("\\" in text) == shown.startswith(" E'")


@pytest.mark.parametrize("function", [quoted, literal])
def test_what_cannot_be_quoted(function):
    with pytest.raises(TaskError, match="holds a NUL"):
        function("a\0b")
