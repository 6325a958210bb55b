"""What a database holds, and what it is: tables with their numbers of rows, properties, other databases."""

from __future__ import annotations

import time

from opslib.host.task import TaskError

from .session import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Container

    from .session import Session

_MOST_TABLES = 50000
# Ordinary tables that a dump holds the rows of: partitions themselves, not their parents; none of an extension.
_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""
_DATABASE = """
SELECT json_build_object('oid', d.oid::bigint, 'owner', r.rolname, 'encoding', pg_encoding_to_char(d.encoding),
  'collate', d.datcollate, 'ctype', d.datctype, 'limit', d.datconnlimit, 'size_bytes', pg_database_size(d.oid),
  'tablespace', t.spcname, 'all', to_jsonb(d.*))
FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = $1
"""
_NUMBERS = """
SELECT md5(coalesce(string_agg(c.oid::text, ' ' ORDER BY c.oid), '')) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^pg_'
"""
_OURS = """
SELECT count(*) FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND application_name = 'opslib' AND pid <> pg_backend_pid()
"""
_ME = """
SELECT json_build_object('name', rolname, 'superuser', rolsuper, 'createdb', rolcreatedb OR rolsuper)
FROM pg_catalog.pg_roles WHERE rolname = current_user
"""


def count_rows(session: Session, timeout: float, only: Container[str] | None = None) -> dict[str, int]:
    """Return the number of rows of each table, by "schema.table", as the session's snapshot has them.

    timeout: seconds for all of it; only: the names of the tables to count; others are left out. Raises TaskError when
    rows are hidden from the role (row-level security), rather than count those that it may see.
    """
    ends = time.monotonic() + timeout
    session.rows("SET row_security = off")
    tables = session.rows(_TABLES, timeout=timeout)
    if len(tables) > _MOST_TABLES:
        raise TaskError("the database has %d tables; at most %d are taken" % (len(tables), _MOST_TABLES))
    found = {}
    for schema, table in tables:
        if only is not None and "%s.%s" % (schema, table) not in only:
            continue
        left = ends - time.monotonic()
        if left <= 0:
            raise TaskError("the rows of %d tables cannot be counted within %g seconds" % (len(tables), timeout))
        name = "%s.%s" % (quoted(schema or ""), quoted(table or ""))
        sql = "SELECT count(*) FROM ONLY " + name  # noqa: S608 - quoted above
        found["%s.%s" % (schema, table)] = int(session.value(sql, timeout=left) or 0)
    return found


def differences(wanted: dict[str, int], found: dict[str, int]) -> list[str]:
    """Return in words how two counts of the same tables differ."""
    words = []
    for table in sorted({*wanted, *found}):
        if table not in found:
            words.append("%s is missing" % table)
        elif table not in wanted:
            words.append("%s was not in the database that was backed up" % table)
        elif wanted[table] != found[table]:
            words.append("%s has %d rows instead of %d" % (table, found[table], wanted[table]))
    return words


def identities(session: Session) -> str:
    """Return what changes when tables are replaced by others, whatever is in them: a digest of their numbers."""
    return session.value(_NUMBERS, timeout=300) or ""


def others_of_ours(session: Session) -> int:
    """Return how many connections of opslib and of programs that it started the database has beside this one."""
    return int(session.value(_OURS) or 0)


def database(session: Session, name: str) -> dict[str, Any] | None:
    """Return what a database is made of (owner, encoding, locale, size, oid), None when it is not there."""
    found = session.json(_DATABASE, name)
    if found is None:
        return None
    every = found.pop("all")
    found["provider"] = every.get("datlocprovider", "c")
    found["locale"] = every.get("daticulocale") or every.get("datlocale")
    return dict(found)


def myself(session: Session) -> dict[str, Any]:
    """Return the role of a session: its name, and whether it may create databases or do anything."""
    return dict(session.json(_ME) or {"name": "", "superuser": False, "createdb": False})
