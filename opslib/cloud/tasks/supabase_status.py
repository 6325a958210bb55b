"""Say how a Supabase project is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.cloud.access import TokenText, address, token, tokens
from opslib.cloud.libraries import load
from opslib.cloud.supabase import rest, service_key
from opslib.cloud.supabase.task import VARIABLE, SupabaseTask
from opslib.cloud.task import Plan, param
from opslib.host.params import Choice, Duration, ListOf, Name, Url
from opslib.host.words import listed

if TYPE_CHECKING:
    from opslib.cloud.supabase.models import Health, Project
    from opslib.cloud.supabase.rest import Rest

__all__ = ["SupabaseStatus"]

KEYS = ("SUPABASE_SERVICE_KEY", "SUPABASE_SERVICE_ROLE_KEY")
SERVICES = ("auth", "db", "pooler", "realtime", "rest", "storage")


@dataclass(frozen=True, slots=True)
class _Seen:
    project: Project | None
    health: list[Health]
    rest: Rest | None


class SupabaseStatus(SupabaseTask, name="supabase_status"):
    """Say whether a project, its services and its REST interface are healthy.

    The management API is asked for the project and its services, with the access token; the REST interface, with the
    service key, for a row of a table, which goes through gateway, PostgREST and database. Where one of the two secrets
    is missing, its part is left out and a warning says so; without both it is an error. A service key that says it is
    for another project is refused.

    data: `parts`, each with `part`, `state`, `ok` and perhaps `trouble`; `status` (of the project), `region`,
    `database_version`, `rest_seconds`. It fails when one is not healthy, or slower than `max_latency`.

    Source: https://supabase.com/docs/reference/api/v1-get-services-health
    """

    service_key: str | None = param(
        TokenText(), f"Service key, from a vault; else the environment's {KEYS[0]} or {KEYS[1]}.", default=None
    )
    url: str | None = param(Url(), "URL of the project; else https:// and its reference, .supabase.co.", default=None)
    table: str | None = param(
        Name("table", "_", 63), "A table or view to read one row of.", default=None, example="cost_records"
    )
    services: list[str] = param(
        ListOf(Choice(*SERVICES, "db_postgres_user", "pg_bouncer"), empty=False),
        "Services of the project that must be healthy.",
        default=list(SERVICES),
    )
    max_latency: float | None = param(
        Duration(low=0.001), "Seconds that the REST interface may take.", default=None, example="2s"
    )

    def check(self) -> None:
        super().check()
        if self.url:
            address(self.url, "", "")

    def secrets(self) -> Iterator[str]:
        """Yield every text that must never be shown."""
        yield from super().secrets()
        yield from tokens(self.service_key, *KEYS)

    @property
    def managed(self) -> bool:
        """Whether there is an access token for the management API."""
        return bool(tokens(self.token, VARIABLE))

    def identify(self) -> None:
        if tokens(self.service_key, *KEYS):
            service_key.prove(token(self.service_key, *KEYS, of="Supabase"), self.ref)
        if not self.managed and not tokens(self.service_key, *KEYS):
            token(None, VARIABLE, *KEYS, of="Supabase")

    def look(self) -> _Seen:
        load("pydantic", "http")
        from opslib.cloud.supabase import models

        project, health, answer = None, [], None
        if self.managed:
            project = self.project()
            health = self.read(list[models.Health], "/health", "the health of its services", services=self.services)
        if tokens(self.service_key, *KEYS):
            key = token(self.service_key, *KEYS, of="Supabase")
            url = self.url or f"https://{self.ref}.supabase.co"
            answer = rest.ask(url, key, self.table, self.patience, self.poll)
        return _Seen(project, health, answer)

    def compare(self, state: _Seen) -> Plan:
        parts: list[dict[str, Any]] = []
        warnings = []
        if state.project is None:
            warnings.append(f"the management API was not asked: no {VARIABLE}")
        else:
            parts.append(_part("project", str(state.project.status), ok=state.project.status == "ACTIVE_HEALTHY"))
            parts += [self._service(name, state.health) for name in self.services]
        if state.rest is None:
            warnings.append(f"the REST interface was not asked: no {KEYS[0]}")
        else:
            parts.append(self._rest(state.rest))
        data = {
            "parts": parts,
            "status": state.project and str(state.project.status),
            "region": state.project and state.project.region,
            "database_version": state.project and state.project.database.version,
            "rest_seconds": state.rest.seconds if state.rest else None,
        }
        bad = [f"{each['part']}: {each.get('trouble') or each['state']}" for each in parts if not each["ok"]]
        return Plan(
            reason=f"{len(parts)} parts are healthy" if not bad else "",
            failure=listed(bad, 20),
            warnings=warnings,
            data=data,
        )

    def _service(self, name: str, health: list[Health]) -> dict[str, Any]:
        found = [each for each in health if each.name == name]
        if not found:
            return _part(name, "unknown", ok=False, trouble="Supabase did not say how it is")
        return _part(name, str(found[0].status), ok=found[0].status == "ACTIVE_HEALTHY", trouble=found[0].error or "")

    def _rest(self, found: Rest) -> dict[str, Any]:
        if found.trouble:
            return _part("rest interface", found.code or "failing", ok=False, trouble=found.trouble)
        slow = self.max_latency is not None and found.seconds is not None and found.seconds > self.max_latency
        words = f"it took {found.seconds:.3g} s to answer, longer than {self.max_latency:g} s" if slow else ""
        return _part("rest interface", "slow" if slow else "answers", ok=not slow, trouble=words)


def _part(part: str, state: str, *, ok: bool, trouble: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"part": part, "state": state, "ok": ok}
    return {**found, "trouble": trouble} if trouble else found
