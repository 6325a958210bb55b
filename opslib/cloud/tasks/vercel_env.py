"""Set, remove, list and compare the environment variables of a Vercel project."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opslib.cloud.errors import RefusedError
from opslib.cloud.settled import settle
from opslib.cloud.task import ACTION, CREATE, MODIFY, REMOVE, Change, Plan, param
from opslib.cloud.vercel.task import VercelTask
from opslib.cloud.vercel.variables import Edit, changed_since, edits_to_remove, edits_to_set, in_force, read_file
from opslib.host.files.env_params import Values, Variable
from opslib.host.params import Boolean, Choice, ListOf, Path
from opslib.host.words import listed

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Variable as Kept

__all__ = ["VercelEnv"]

PRODUCTION, DEVELOPMENT = "production", "development"
_KINDS = {"put": CREATE, "value": MODIFY, "narrow": MODIFY, "remove": REMOVE}


@dataclass(frozen=True, slots=True)
class _Seen:
    variables: list[Kept]
    values: dict[str, str] = field(repr=False)
    file: dict[str, str] | None = field(repr=False)
    built: int
    now: float


class VercelEnv(VercelTask, name="vercel_env"):
    """Set and remove environment variables, list them without their values, and compare them with a file.

    Only the named environments are touched: a variable that is shared with others is parted from theirs first. Those of
    single branches are left alone. Values are shown nowhere. Sensitive variables cannot be read back: one that is there
    is taken to be right, unless `rewrite` names it, which writes it on every run.

    A change takes effect with the next deployment, and a rollback does not take it back; a warning says so for as long
    as that is to come.

    data: `variables`, each with `key`, `targets`, `type`, `branch`, `age_seconds`; with a file, `missing` (in Vercel),
    `extra` (not in the file), `different` and `unknown` (sensitive), all of them names.

    Source: https://vercel.com/docs/environment-variables
    """

    targets: list[str] = param(
        ListOf(Choice(PRODUCTION, "preview", DEVELOPMENT), empty=False, longest=3),
        "The environments to work on.",
        default=[PRODUCTION],
    )
    set: dict[str, str] = param(
        Values(), "Variables with the values they must have.", default={}, example={"LOG_LEVEL": "info"}
    )
    unset: list[str] = param(ListOf(Variable()), "Variables that must not be there.", default=[], example=["DEBUG"])
    sensitive: bool = param(
        Boolean(), "Whether new variables are kept so that nobody can read them back.", default=False
    )
    rewrite: list[str] = param(
        ListOf(Variable()), "Sensitive variables of `set` whose value is written again each time.", default=[]
    )
    file: str | None = param(
        Path(),
        "Environment file on the controller to compare with.",
        default=None,
        example="/srv/dashboard/.env.production",
    )
    same: bool = param(Boolean(), "Whether a difference from the file is a failure.", default=True)

    def check(self) -> None:
        super().check()
        both = [key for key in self.set if key in self.unset]
        if both:
            self.refuse(f"{both[0]} stands in both set and unset")
        lost = [key for key in self.rewrite if key not in self.set]
        if lost:
            self.refuse(f"{lost[0]} stands in rewrite, but set gives it no value")
        if self.sensitive and DEVELOPMENT in self.targets:
            self.refuse("variables of development cannot be sensitive: people must be able to read them")
        if len({*self.targets}) < len(self.targets):
            self.refuse("targets names one twice")

    def look(self) -> _Seen:
        file = None if self.file is None else read_file(self.file)
        variables = self.client.variables()
        wanted = {*self.set, *(file or {})}
        values = {
            each.id: each.value if each.type == "plain" else self.client.value(each.id)
            for each in variables
            if each.readable and each.key in wanted and {*each.targets} & {*self.targets} and not each.git_branch
        }
        target = self.client.project().targets.production
        return _Seen(variables, values, file, target.created_at if target else 0, time.time())

    def compare(self, state: _Seen) -> Plan:
        edits: list[Edit] = []
        for key, value in self.set.items():
            rewrite = key in self.rewrite
            edits += edits_to_set(state.variables, state.values, key, value, self.targets, rewrite=rewrite)
        for key in self.unset:
            edits += edits_to_remove(state.variables, key, self.targets)
        data: dict[str, Any] = {"variables": [self._row(each, state.now) for each in self._ours(state)]}
        failure, warnings = self._differences(state, data)
        changes = [self._change(edit, state) for edit in edits]
        fresh = changed_since(state.variables, state.built) if state.built else []
        if fresh and PRODUCTION in self.targets:
            warnings.append(
                f"production was built before {listed(fresh)} changed; that takes effect with the next build"
            )
        reason = failure if failure and not self.same else f"{len(data['variables'])} variables; nothing to change"
        return Plan(
            changes=changes,
            reason="" if changes else reason,
            failure=failure if self.same else "",
            warnings=warnings + ([failure] if failure and not self.same and changes else []),
            data=data,
        )

    def _ours(self, state: _Seen) -> list[Kept]:
        return sorted((each for each in state.variables if {*each.targets} & {*self.targets}), key=lambda one: one.key)

    def _row(self, each: Kept, now: float) -> dict[str, Any]:
        changed = each.updated_at or each.created_at
        return {
            "key": each.key,
            "targets": each.targets,
            "type": str(each.type),
            "branch": each.git_branch,
            "age_seconds": None if changed is None else max(0, round(now - changed / 1000)),
        }

    def _change(self, edit: Edit, state: _Seen) -> Change:
        places = ", ".join(edit.targets)
        words = {
            "put": f"set {edit.key} in {places}",
            "value": f"set {edit.key} in {places}",
            "narrow": f"keep the present {edit.key} in {places} only",
            "remove": f"remove {edit.key} from {places}",
        }[edit.do]
        unreadable = edit.do == "value" and edit.id not in state.values
        return Change(
            kind=ACTION if unreadable else _KINDS[edit.do],
            summary=words + (" again: its value cannot be read back" if unreadable else ""),
            sensitive=True,
            detail=edit,
        )

    def _differences(self, state: _Seen, data: dict[str, Any]) -> tuple[str, list[str]]:
        """Return how Vercel differs from the file, in words without values, and remarks."""
        if state.file is None:
            return "", []
        data.update(missing=[], different=[], unknown=[])
        for key, value in state.file.items():
            for target in self.targets:
                kept = in_force(state.variables, key, target)
                if kept is None:
                    data["missing"].append(key)
                elif kept.id not in state.values:
                    data["unknown"].append(key)
                elif state.values[kept.id] != value:
                    data["different"].append(key)
        data["extra"] = [each.key for each in self._ours(state) if each.key not in state.file and not each.git_branch]
        for name in ("missing", "different", "unknown", "extra"):
            data[name] = sorted(set(data[name]))
        words = [f"{name}: {listed(data[name], 20)}" for name in ("missing", "different", "extra") if data[name]]
        unknown = [f"cannot be read back, so not compared: {listed(data['unknown'], 20)}"] if data["unknown"] else []
        return (f"Vercel and {self.file} differ; {'; '.join(words)}" if words else ""), unknown

    def apply(self, change: Change) -> None:
        edit: Edit = change.detail
        settle(self, lambda: self._send(edit), lambda: self._done(edit), doing=change.summary)

    def _send(self, edit: Edit) -> None:
        if edit.do == "put":
            kind = "sensitive" if self.sensitive else "encrypted"
            self.client.put_variable(edit.key, edit.value, kind, edit.targets)
        elif edit.do == "value":
            self.client.change_variable(edit.id, value=edit.value)
        elif edit.do == "narrow":
            self.client.change_variable(edit.id, target=edit.targets)
        else:
            try:
                self.client.remove_variable(edit.id)
            except RefusedError as error:
                if error.status != 404:
                    raise

    def _done(self, edit: Edit) -> bool:
        """Whether a request whose answer was lost has taken effect; where that cannot be seen, it is sent again."""
        variables = self.client.variables()
        mine = next((each for each in variables if each.id == edit.id), None)
        if edit.do == "remove":
            return mine is None
        if edit.do == "narrow":
            return mine is not None and mine.targets == edit.targets
        kept = [in_force(variables, edit.key, target) for target in edit.targets]
        return all(each is not None and each.readable and self.client.value(each.id) == edit.value for each in kept)
