"""Databases as wholes: made after the image of another, dropped, exchanged for one another.

CREATE and DROP DATABASE know no transaction, but ALTER DATABASE ... RENAME does: two names change at once or not at
all. Sources: CREATE DATABASE, ALTER DATABASE and DROP DATABASE in PostgreSQL's documentation.
"""

from __future__ import annotations

import time

from opslib.host.task import TaskError
from opslib.host.words import printable

from . import catalog
from .faults import PostgresError
from .session import Session, literal, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Sequence

    from .settings import Settings

_LONGEST = 63
_IN_USE = "55006"
_ATTEMPTS = 10
# Settings that are lists of names: their text is taken as it stands, not as one value.
_LISTS = ("local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces")
_SETTINGS = """
SELECT coalesce(r.rolname, ''), s.setting FROM pg_catalog.pg_db_role_setting x
JOIN pg_catalog.pg_database d ON d.oid = x.setdatabase LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.setrole
CROSS JOIN LATERAL unnest(x.setconfig) AS s(setting) WHERE d.datname = $1
"""
_RIGHTS = """
SELECT a.privilege_type, coalesce(g.rolname, ''), a.is_grantable, a.grantee = 0 FROM pg_catalog.pg_database d
CROSS JOIN LATERAL aclexplode(d.datacl) a LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee WHERE d.datname = $1
"""
_TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()
AND backend_type = 'client backend'
"""
_USUAL = "pg_default"
_SAID = "SELECT d.datacl IS NOT NULL, pg_get_userbyid(d.datdba) FROM pg_catalog.pg_database d WHERE d.datname = $1"
_PROVIDERS = 15  # the first version of the server that has them
_PRIVILEGES = ("CREATE", "CONNECT", "TEMPORARY")
_MYSELF = "SELECT pid, backend_start FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid()"
_END = "SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND backend_start = $2"
_PATIENCE = 6


class Undecided(TaskError):
    """The connection was lost while a database took its name, and whether it has it now cannot be found out."""


def aside(database: str, mark: str) -> str:
    """Return the name of a database that belongs to another one, within the 63 bytes that a name may have."""
    text = database.encode("utf-8", "surrogateescape")[: _LONGEST - len(mark) - 1].decode("utf-8", "ignore")
    return "%s_%s" % (text, mark)


def create(session: Session, name: str, like: Mapping[str, Any], owner: str | None = None) -> None:
    """Create an empty database with the encoding and locale of another one.

    like: `encoding`, `collate`, `ctype`, `provider`, `locale` and perhaps `tablespace`, as `catalog.database` or a
    manifest has them.
    """
    words = ["CREATE DATABASE", quoted(name), "TEMPLATE template0 ENCODING", literal(like["encoding"])]
    words += ["LC_COLLATE", literal(like["collate"]), "LC_CTYPE", literal(like["ctype"])]
    words += _provider(session, like)
    if like.get("tablespace", _USUAL) != _USUAL:
        words += ["TABLESPACE", quoted(like["tablespace"])]
    if owner:
        words += ["OWNER", quoted(owner)]
    session.rows(" ".join(words), timeout=300)


def _provider(session: Session, like: Mapping[str, Any]) -> list[str]:
    """Return who provides the locale, for servers that know more than one: without a word it is template0's."""
    version = session.parameters.get("server_version", "")
    digits = version[: len(version) - len(version.lstrip("0123456789"))]
    if not digits or int(digits) < _PROVIDERS:
        return []
    if like.get("provider") == "i" and like.get("locale"):
        return ["LOCALE_PROVIDER icu ICU_LOCALE", literal(like["locale"])]
    if like.get("provider") == "b" and like.get("locale"):
        return ["LOCALE_PROVIDER builtin BUILTIN_LOCALE", literal(like["locale"])]
    return ["LOCALE_PROVIDER libc"] if like.get("provider") == "c" else []


def drop(session: Session, name: str) -> None:
    """Drop a database if it is there, and whoever is connected to it."""
    session.rows(_TERMINATE, name)
    for attempt in range(_ATTEMPTS):
        try:
            session.rows("DROP DATABASE IF EXISTS " + quoted(name), timeout=300)
        except PostgresError as error:
            if error.code != _IN_USE or attempt == _ATTEMPTS - 1:
                raise
            session.rows(_TERMINATE, name)
        else:
            return


def copy_properties(session: Session, source: str, target: str) -> None:
    """Give a database what a dump does not hold of the other: its limit, settings, rights and comment."""
    facts = catalog.database(session, source)
    if facts is None:
        raise TaskError("there is no database %s" % printable(source))
    if facts["limit"] >= 0:
        session.rows("ALTER DATABASE %s CONNECTION LIMIT %d" % (quoted(target), facts["limit"]))
    for role, setting in session.rows(_SETTINGS, source):
        key, _sign, value = (setting or "").partition("=")
        shown = value if key in _LISTS and value else literal(value)
        whose = "ALTER ROLE %s IN DATABASE %s" % (quoted(role), quoted(target)) if role else None
        key = ".".join(quoted(part) for part in key.split("."))
        session.rows("%s SET %s TO %s" % (whose or "ALTER DATABASE " + quoted(target), key, shown))
    rights = session.rows(_RIGHTS, source)
    said, owner = session.rows(_SAID, source)[0]
    if said == "t":  # perhaps that nobody may do anything, its owner neither
        session.rows("REVOKE ALL ON DATABASE %s FROM PUBLIC, %s" % (quoted(target), quoted(owner or "")))
    for privilege, role, grantable, public in rights:
        if privilege in _PRIVILEGES:
            whom = "PUBLIC" if public == "t" else quoted(role or "")
            more = " WITH GRANT OPTION" if grantable == "t" else ""
            session.rows("GRANT %s ON DATABASE %s TO %s%s" % (privilege, quoted(target), whom, more))
    sql = "SELECT shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database WHERE datname = $1"
    comment = session.value(sql, source)
    if comment is not None:
        session.rows("COMMENT ON DATABASE %s IS %s" % (quoted(target), literal(comment)))


def replace(settings: Settings, name: str, new: str, old: str | None) -> None:
    """Have database `new` called `name`, and the one that is called so now `old`, both at once; None: there is none.

    When the connection is lost meanwhile, another one is asked what has become of it, for six times as long as
    connecting may take. Raises Undecided when nobody answers that long.
    """
    with Session(settings) as session:
        number = (catalog.database(session, new) or {}).get("oid")
        myself = session.rows(_MYSELF)[0]
        try:
            if old is None:
                session.rows("ALTER DATABASE %s RENAME TO %s" % (quoted(new), quoted(name)))
            else:
                _exchange(session, name, new, old)
        except PostgresError as error:
            if not session.closed:
                raise
            lost = error
        else:
            return
    try:
        done = _number(settings, name, myself) == number
    except TaskError as trouble:
        words = "%s; whether database %s has been replaced is not known: %s"
        raise Undecided(words % (lost, printable(name), trouble)) from None
    if not done:
        raise lost


def _exchange(session: Session, name: str, new: str, old: str) -> None:
    """Rename both databases in one transaction; whoever is connected to them is cut off."""
    for attempt in range(_ATTEMPTS):
        for each in (name, new):
            session.rows(_TERMINATE, each)
        session.rows("BEGIN")
        try:
            session.rows("ALTER DATABASE %s RENAME TO %s" % (quoted(name), quoted(old)))
            session.rows("ALTER DATABASE %s RENAME TO %s" % (quoted(new), quoted(name)))
            session.rows("COMMIT")
        except PostgresError as error:
            if session.closed:
                raise
            session.rows("ROLLBACK")
            if error.code != _IN_USE or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.1)
        else:
            return


def _number(settings: Settings, name: str, lost: Sequence[str | None]) -> Any:
    """Return the number of the database of this name, once the server has done with a connection that was lost."""
    until = time.monotonic() + _PATIENCE * settings.timeout
    while True:
        try:
            with Session(settings) as session:
                while session.rows(_END, *lost):
                    if time.monotonic() > until:
                        raise TaskError("the server has not ended the connection that was lost")
                    time.sleep(0.05)
                return (catalog.database(session, name) or {}).get("oid")
        except PostgresError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
