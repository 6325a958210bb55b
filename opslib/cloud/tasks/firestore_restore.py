"""Restore a Firestore database from a backup, with the service that uses it paused."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opslib.cloud.aws.container.switch import switch_of
from opslib.cloud.aws.task import account_id, region_name
from opslib.cloud.gcp.backups import Proof
from opslib.cloud.gcp.firestore_backup import parted
from opslib.cloud.gcp.firestore_export import export
from opslib.cloud.gcp.firestore_import import Remains, compare, last_import, of_backup, shown_proof
from opslib.cloud.gcp.firestore_operations import IMPORT, Operation, begin, follow
from opslib.cloud.gcp.firestore_task import ExportAddress, Snapshot
from opslib.cloud.gcp.import_task import ImportTask
from opslib.cloud.gcp.times import stamp
from opslib.cloud.patience import Patience
from opslib.cloud.switch import Switch
from opslib.cloud.task import MODIFY, Change, Plan, TaskError, param
from opslib.host.params import Boolean, Choice, Name, Number
from opslib.host.words import count, listed

__all__ = ["FirestoreRestore"]

ALWAYS, AS_BEFORE = "always", "as_before"
_CLEANUP = 900.0  # a pause that has begun must end before a resume can


@dataclass(frozen=True, slots=True)
class _State:
    proof: Proof
    documents: int
    running: Operation | None
    done: Operation | None
    remains: Remains | None
    paused: bool
    safety: str
    occupied: bool
    outcome: dict[str, Any]


class FirestoreRestore(ImportTask, name="firestore_restore"):
    """Restore a Firestore database from an export, while the service that uses it is paused.

    In this order: the backup is proven; what the database holds is exported to `safety`, and that proven; the service
    is paused, and waited for; the backup is imported into the project and the database that are named; the documents
    are counted, and those that the backup does not hold are told, since an import removes none; the service is resumed
    and waited for. It is resumed as well when any of this fails, when time is up and when the run is stopped. What was
    written between the safety export and the pause is in the database only, until the import writes over it.

    The safety export must not lie in `backup` or `newest_below`, where it would be taken for the backup the next time.

    A restore is done once: as long as the newest import was of this backup, it is not made again, unless `again`; but a
    service that an earlier run left paused is resumed.

    data: as of `firestore_import`, and `service` (name, or null), `paused`; what this run did: `safety` (the export),
    `steps`, each with `step` and `seconds`.
    """

    cleanup_seconds = _CLEANUP + 60  # what is under way when it begins may take its time to end

    safety: str | None = param(
        ExportAddress(),
        "Where to export to before: gs://BUCKET/FOLDER; %Y %m %d %H %M %S stand for the present time in UTC.",
        default=None,
        example="gs://spendsense-backups/safety-%Y%m%d_%H%M%S",
    )
    without_safety: bool = param(
        Boolean(), "Do without the safety export: what the import writes over is lost.", default=False
    )
    snapshot: str = param(
        Snapshot(),
        "State for the safety export: of the last full minute (`now`), of a time, or `none`.",
        default="now",
    )
    service: str | None = param(
        Name("name or ARN of a container service", signs="_.-:/"),
        "App Runner service to pause meanwhile; none if not given.",
        default=None,
        example="spendsense-api",
    )
    account: str | None = param(account_id(), "The AWS account of the service.", default=None, example="123456789012")
    region: str | None = param(region_name(), "The AWS region of the service.", default=None, example="us-east-1")
    profile: str | None = param(
        Name("profile name", signs="_.-@+"), "A profile of the AWS configuration files to use.", default=None
    )
    resume: str = param(
        Choice(ALWAYS, AS_BEFORE), "Resume the service in any case, or only if it was running before.", default=ALWAYS
    )
    again: bool = param(Boolean(), "Restore even if the newest import was of this backup.", default=False)
    scan: int = param(
        Number(0, 1_000_000, whole=True),
        "How many documents there may be for the names of those that stay to be looked for; a read for each.",
        default=10_000,
    )

    _outcome: Any = None
    _resumes = False

    def check(self) -> None:
        super().check()
        if (self.safety is None) != self.without_safety:
            self.refuse("give safety, where to export to before; or without_safety, if that is meant")
        if self.service is not None and None in (self.account, self.region):
            self.refuse("give account and region of the service")
        wrong = [found for found in re.findall(r"%(.?)", self.safety or "") if found not in tuple("YmdHMS")]
        if wrong:
            self.refuse(f"safety: %{wrong[0]} is none of %Y %m %d %H %M %S")
        place = self.backup or self.newest_below or ""
        if self.safety is not None and _may_be_inside(self.safety, place):
            self.refuse(
                f"safety: {self.safety} is inside {place}, and would be taken for the backup; name another place"
            )

    def scope(self) -> dict[str, str]:
        if self.service is None:
            return super().scope()
        return {**super().scope(), "service": self.service, "account": str(self.account), "region": str(self.region)}

    @functools.cached_property
    def began(self) -> datetime:
        """When this task first asked for the time."""
        return datetime.now(UTC)

    def switch(self, patience: Patience) -> Switch | None:
        """Return the service, for as long as `patience` lasts; None when none is to be paused."""
        if self.service is None:
            return None
        return switch_of(
            self.service,
            account=str(self.account),
            region=str(self.region),
            profile=self.profile,
            patience=patience,
            poll=self.poll,
            tell=self.tell,
        )

    def look(self) -> _State:
        switch = self.switch(self.patience)
        paused = switch.paused() if switch is not None else False
        operations = self.firestore.operations()
        done = of_backup(last_import(operations), self.proof)
        remains = compare(self.firestore, self.storage, self.proof, done, self.scan) if done is not None else None
        safety = self.began.strftime(self.safety) if self.safety else ""
        return _State(
            proof=self.proof,
            documents=remains.documents if remains is not None else self.firestore.count(),
            running=next((each for each in operations if not each.done), None),
            done=done,
            remains=remains,
            paused=paused,
            safety=safety,
            occupied=bool(safety and self.storage.items(*_inside(safety))) if self._outcome is None else False,
            outcome=self._outcome or {},
        )

    def compare(self, state: _State) -> Plan:
        data: dict[str, Any] = {
            "backup": shown_proof(state.proof),
            "documents": state.documents,
            "imported": None,
            "service": self.service,
            "paused": state.paused if self.service else None,
            **state.outcome,
        }
        warnings = list(state.proof.remarks[:3])
        if state.done is not None and state.remains is not None:
            data.update(state.remains.to_dict(), imported=state.done.to_dict())
            warnings += [state.remains.remark] if state.remains.remark else []
        if state.done is not None and (not self.again or self._outcome is not None):
            return self._done(state, state.done, data, warnings)
        failure = self._obstacle(state)
        if failure:
            return Plan(failure=failure, data=data, warnings=warnings)
        if state.running is not None:
            warnings.append(
                f"an {state.running.shown} is under way; it is {'followed' if _mine(state) else 'waited for'}"
            )
        change = Change(
            kind=MODIFY,
            summary="restore: " + ", ".join(self._steps(state)),
            before=count(state.documents, "document"),
            after=None if state.proof.documents is None else f"at least {count(state.proof.documents, 'document')}",
            certain=False,
            detail=state,
        )
        return Plan(changes=[change], data=data, warnings=warnings)

    def apply(self, change: Change) -> None:
        outcome: dict[str, Any] = {"steps": []}
        object.__setattr__(self, "_outcome", outcome)
        state: _State = change.detail
        try:
            if state.done is None or self.again:
                self._restore(state, outcome)
            else:
                object.__setattr__(self, "_resumes", True)
        except TaskError as error:
            raise TaskError(str(error), **{**error.data, **outcome}) from error

    def clean_up(self) -> str:
        """Resume the service, in time of its own: that of the restore may be up."""
        if not self._resumes:
            return ""
        switch = self.switch(Patience(_CLEANUP, self.poll))
        assert switch is not None
        unsure = any(each["step"] == "pause" and each["ended"] != "ok" for each in self._outcome["steps"])
        try:
            with self._step("resume", self._outcome):
                switch.resume(unsure=unsure)
        except TaskError as error:
            words = f"{self.service} could not be resumed: {error}; resume it now"
            raise TaskError(words, **self._outcome) from error
        return f"{self.service} was resumed"

    def _restore(self, state: _State, outcome: dict[str, Any]) -> None:
        if state.safety and not _mine(state):
            with self._step("safety export", outcome):
                moment = Snapshot.moment(self.snapshot, self.began)
                outcome["safety"] = export(self.firestore, self.storage, state.safety, moment, seen=self.seen)
        object.__setattr__(self, "_resumes", self._to_resume(state))
        switch = self.switch(self.patience)
        if switch is not None and not state.paused:
            with self._step("pause", outcome):
                switch.pause()
        self._import(state, outcome)

    def _import(self, state: _State, outcome: dict[str, Any]) -> None:
        with self._step("import", outcome):
            operation = state.running if _mine(state) else None
            if operation is None and state.running is not None:
                name, doing = state.running.name, f"waiting for the {state.running.shown} to end"
                self.patience.until(lambda: self.firestore.operation(name), lambda found: found.done, doing=doing)
            ended = follow(self.firestore, operation or begin(self.firestore, IMPORT, state.proof.url), self.seen)
        remains = compare(self.firestore, self.storage, state.proof, ended, 0)
        if remains.failure:
            raise TaskError(remains.failure, imported=ended.to_dict(), **remains.to_dict())

    def _to_resume(self, state: _State) -> bool:
        return self.service is not None and (self.resume == ALWAYS or not state.paused)

    @contextmanager
    def _step(self, name: str, outcome: dict[str, Any]) -> Iterator[None]:
        self.say(f"{name} begins")
        began = time.monotonic()
        ended = "cut short"
        try:
            yield
            ended = "ok"
        except TaskError:
            ended = "failed"
            raise
        finally:
            outcome["steps"].append({"step": name, "seconds": round(time.monotonic() - began, 1), "ended": ended})

    def _done(self, state: _State, done: Operation, data: dict[str, Any], warnings: list[str]) -> Plan:
        began = stamp(done.began) if done.began else "before"
        reason = f"{state.proof.url} was imported {began}; documents may have changed since"
        if state.paused and self.resume == ALWAYS and self._outcome is None:
            change = Change(
                kind=MODIFY, summary=f"resume {self.service}", before="paused", after="running", detail=state
            )
            return Plan(changes=[change], data=data, warnings=warnings)
        return Plan(reason=reason, data=data, warnings=warnings)

    def _obstacle(self, state: _State) -> str:
        if not state.proof.complete:
            return f"{state.proof.url} must not be relied on: {listed(list(state.proof.problems), 3)}"
        if state.occupied and not _mine(state):
            return f"safety: {state.safety} is not empty; name another place"
        return ""

    def _steps(self, state: _State) -> Iterator[str]:
        if state.safety and not _mine(state):
            yield f"export what is there to {state.safety}"
        if self.service is not None and not state.paused:
            yield f"pause {self.service}"
        held = "all documents" if state.proof.documents is None else count(state.proof.documents, "document")
        yield f"{'follow the import of' if _mine(state) else 'import'} {held} from {state.proof.url}"
        if self._to_resume(state):
            yield f"resume {self.service}"


def _may_be_inside(address: str, place: str) -> bool:
    """Whether an address with %Y and the like is that of a place, or of something in it, at any time."""
    patterns = [re.sub("%[YmdHMS]", r"\\d+", re.escape(part)) for part in address.split("/")]
    parts = place.split("/")
    return len(patterns) >= len(parts) and all(map(re.fullmatch, patterns, parts))


def _inside(address: str) -> tuple[str, str]:
    bucket, folder = parted(address)
    return bucket, f"{folder}/"


def _mine(state: _State) -> bool:
    """Whether an import of all of this backup is under way, such as from a run that was killed."""
    return state.running is not None and state.running.whole(IMPORT, state.proof.url)
