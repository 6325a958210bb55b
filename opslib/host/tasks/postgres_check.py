"""Check that a PostgreSQL database can be used, and name what is wrong when it cannot."""

from __future__ import annotations

import time

from opslib.host.params import Duration, Number, Percent
from opslib.host.plan import Plan
from opslib.host.postgres.faults import LIMIT, PostgresError
from opslib.host.postgres.settings import PostgresTask
from opslib.host.task import param
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TRIPS = 3
_FACTS = """
SELECT json_build_object(
  'now', extract(epoch FROM clock_timestamp()), 'recovery', pg_is_in_recovery(),
  'uptime', extract(epoch FROM now() - pg_postmaster_start_time()),
  'max', current_setting('max_connections')::int,
  'reserved', current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true)::int, 0),
  'superuser', (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
  'used', (SELECT sum(numbackends) FROM pg_catalog.pg_stat_database),
  'here', (SELECT numbackends FROM pg_catalog.pg_stat_database WHERE datname = current_database()),
  'database_limit', (SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database()),
  'mine', (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = current_user),
  'role_limit', (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = current_user),
  'read_only', current_setting('transaction_read_only') = 'on',
  'size', pg_database_size(current_database()), 'version_number', current_setting('server_version_num')::int)
"""


class PostgresCheck(PostgresTask, name="postgres_check"):
    """Connect to a PostgreSQL database step by step, and say which step is wrong, or how well it goes.

    The steps: the name is looked up, the server reached, TLS agreed on as `sslmode` has it, the role
    authenticated, the database entered, a statement answered; then connections are counted against the nearest of the
    limits of server, database and role. Errors are told apart by the server's codes, whatever its language. No client
    program is needed on the host. Nothing is changed.

    data: `server` (host, port and database), `address`, `user`, `server_version`, `tls` (`version`, `cipher`, or null),
    `connect_seconds` (with name lookup), `tls_seconds`, `login_seconds`, `latency_seconds` (of a small statement, the
    middle of three), `connections` (`used`, `limit`, `percent`, `of`: server, database or role), `uptime_seconds`,
    `in_recovery`, `read_only`, `database_bytes`; on failure `wrong`: name, reach, tls, rejected (by pg_hba.conf),
    credentials, database, connections, server, query, latency or version, and `code`, the server's.

    A server does not tell a wrong password from a missing role; nor does this. Sources: "Frontend/Backend Protocol" and
    "PostgreSQL Error Codes" in PostgreSQL's documentation.
    """

    max_latency: float | None = param(
        Duration(), "Fail when a small statement takes longer than this, in seconds.", default=None, example="200ms"
    )
    warn_connections: float = param(Percent(), "Warn when more of the connections are used than this.", default="80%")
    fail_connections: float = param(Percent(), "Fail when more of the connections are used than this.", default="95%")
    least_version: float | None = param(
        Number(8, 1000), "Fail when the server's major version is lower.", default=None, example=15
    )

    def check(self) -> None:
        super().check()
        if self.warn_connections > self.fail_connections:
            words = "warn_connections %g%% must not be above fail_connections %g%%"
            self.refuse(words % (self.warn_connections, self.fail_connections))

    def probe(self) -> dict[str, Any]:
        settings = self.settings()
        state: dict[str, Any] = {"server": settings.place, "user": settings.user, "error": None}
        try:
            with self.connect(settings) as session:
                state.update(
                    address=session.address,
                    tls=session.tls,
                    seconds=dict(session.seconds),
                    version=session.parameters.get("server_version", ""),
                )
                trips = []
                for _trip in range(_TRIPS):
                    began = time.monotonic()
                    session.rows("SELECT 1", timeout=settings.timeout)
                    trips.append(time.monotonic() - began)
                state["latency"] = sorted(trips)[_TRIPS // 2]
                state["facts"] = session.json(_FACTS, timeout=settings.timeout)
        except PostgresError as error:
            state["error"] = {"stage": error.stage, "words": str(error), "code": error.code}
        return state

    def plan(self, state: dict[str, Any]) -> Plan:
        data: dict[str, Any] = {"server": state["server"], "user": state["user"]}
        error = state["error"]
        if error:
            data.update(wrong=error["stage"], code=error["code"])
            return Plan(failure=error["words"], data=data)
        facts, seconds = state["facts"], state["seconds"]
        connections = nearest_limit(facts)
        data.update(
            address=state["address"],
            server_version=state["version"],
            tls=dict(zip(("version", "cipher"), state["tls"])) if state["tls"] else None,
            connect_seconds=round(seconds["connect"], 4),
            tls_seconds=round(seconds["tls"], 4) if "tls" in seconds else None,
            login_seconds=round(seconds["login"], 4),
            latency_seconds=round(state["latency"], 4),
            connections=connections,
            uptime_seconds=int(facts["uptime"]),
            in_recovery=facts["recovery"],
            read_only=facts["read_only"],
            database_bytes=facts["size"],
        )
        wrong, words = self._verdict(state, connections)
        if wrong:
            return Plan(failure="%s: %s" % (printable(state["server"]), words), data=dict(data, wrong=wrong, code=""))
        used = "%(used)d of %(limit)d connections of the %(of)s are used" % connections
        warnings = [used] if connections["percent"] > self.warn_connections else []
        if facts["read_only"]:
            warnings.append("the database takes no writes (%s)" % ("standby" if facts["recovery"] else "read only"))
        reason = "%s answers role %s in %.3g ms: PostgreSQL %s, %s, %s" % (
            printable(state["server"]),
            printable(state["user"]),
            state["latency"] * 1000,
            state["version"].split(" ")[0],
            data["tls"]["version"] if data["tls"] else "no TLS",
            used,
        )
        return Plan(reason=reason, warnings=warnings, data=data)

    def _verdict(self, state: dict[str, Any], connections: dict[str, Any]) -> tuple[str, str]:
        """Return what is wrong with a database that answers, and in words; empty when nothing is."""
        if connections["percent"] > self.fail_connections:
            words = "%d of %d connections of the %s are used; at most %g%% may be (fail_connections)"
            values = connections["used"], connections["limit"], connections["of"], self.fail_connections
            return LIMIT, words % values
        if self.max_latency is not None and state["latency"] > self.max_latency:
            words = "a small statement takes %.3g ms; at most %.3g were asked for (max_latency)"
            return "latency", words % (state["latency"] * 1000, self.max_latency * 1000)
        major = state["facts"]["version_number"] // 10000
        if self.least_version is not None and major < self.least_version:
            words = "the server is PostgreSQL %s; at least %g was asked for (least_version)"
            return "version", words % (state["version"].split(" ")[0], self.least_version)
        return "", ""


def nearest_limit(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the limit on connections that is nearest to being reached: of the server, the database or the role."""
    usable = facts["max"] - (0 if facts["superuser"] else facts["reserved"])
    limits = [("server", int(facts["used"] or 0), usable)]
    limits.append(("database", int(facts["here"] or 0), facts["database_limit"]))
    limits.append(("role", int(facts["mine"] or 0), facts["role_limit"]))
    known = [(100.0 * used / max(limit, 1), used, limit, of) for of, used, limit in limits if limit >= 0]
    percent, used, limit, of = max(known, key=lambda each: each[0])
    return {"used": used, "limit": limit, "percent": round(percent, 1), "of": of}
