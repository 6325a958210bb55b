"""What a server's errors mean, in words, and where they belong: by their SQLSTATE, which no language setting changes.

Source: "PostgreSQL Error Codes" in PostgreSQL's documentation.
"""

from __future__ import annotations

from opslib.host.task import TaskError
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping

# What can be wrong with a connection, in the order in which it comes to light.
NAME, REACH, TLS, SERVER, LIMIT, REJECTED, CREDENTIALS, DATABASE, QUERY = (
    "name",
    "reach",
    "tls",
    "server",
    "connections",
    "rejected",
    "credentials",
    "database",
    "query",
)
_STAGES = {
    "28P01": CREDENTIALS,
    "28000": REJECTED,
    "3D000": DATABASE,
    "53300": LIMIT,
    "57P03": SERVER,
    "57P01": SERVER,
    "57P02": SERVER,
    "55000": DATABASE,
    "42501": DATABASE,
}


class PostgresError(TaskError):
    """A server said no, or could not be asked.

    stage: what is wrong: name, reach, tls, server, connections, rejected, credentials, database or query;
    code: the server's SQLSTATE, or an empty string.
    """

    def __init__(self, stage: str, words: str, code: str = "") -> None:
        super().__init__(words)
        self.stage = stage
        self.code = code


def parse_error(body: bytes) -> dict[str, str]:
    """Return the fields of an ErrorResponse by their letter: S severity, C code, M message, D detail, H hint."""
    fields = {}
    for part in body.split(b"\0"):
        if part:
            fields[chr(part[0])] = part[1:].decode("utf-8", "replace")
    return fields


def login_error(fields: Mapping[str, str], user: str, database: str, password: bool) -> PostgresError:
    """Return the error of a connection that a server refused. password: whether one was given."""
    code, said = fields.get("C", ""), _said(fields)
    stage = _STAGES.get(code, SERVER)
    words = "the server refused the connection: %s" % said
    if code == "28P01":
        words = "the password of role %s is wrong, or there is no such role (the server does not tell which): %s"
        words = words % (printable(user), said)
    elif code == "28000" and "pg_hba" in said:
        words = "the server's pg_hba.conf lets no such connection in: %s" % said
    elif code == "28000":
        stage, words = CREDENTIALS, "the server does not accept role %s: %s" % (printable(user), said)
    elif code == "3D000":
        words = "there is no database %s: %s" % (printable(database), said)
    elif code == "53300":
        words = "the server has no connection left: %s" % said
    elif code == "57P03":
        words = "the server is up, but takes no connections now: %s" % said
    elif code in ("42501", "55000"):
        words = "role %s may not connect to database %s: %s" % (printable(user), printable(database), said)
    if code == "28P01" and not password:
        words += "; no password was given"
    return PostgresError(stage, words, code)


def query_error(fields: Mapping[str, str]) -> PostgresError:
    """Return the error of a statement."""
    code = fields.get("C", "")
    ended = code in ("57P01", "57P02")
    words = "the server ended the connection: %s" if ended else "the server said: %s"
    return PostgresError(SERVER if ended else QUERY, words % _said(fields), code)


def _said(fields: Mapping[str, str]) -> str:
    words = [fields.get("M", "nothing")] + [fields[key] for key in "DH" if key in fields]
    return "%s (%s)" % (printable("; ".join(words)[:600]), printable(fields.get("C", "no code")[:5]))
