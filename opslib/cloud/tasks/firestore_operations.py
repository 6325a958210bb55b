"""List or follow the exports and imports of a Firestore database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opslib.cloud.gcp.firestore_operations import Operation
from opslib.cloud.gcp.firestore_task import FirestoreTask
from opslib.cloud.task import Plan, param
from opslib.host.params import Choice, Name, Number
from opslib.host.words import count

__all__ = ["FirestoreOperations"]

LIST, FOLLOW = "list", "follow"


class FirestoreOperations(FirestoreTask, name="firestore_operations"):
    """List the exports, imports and other long operations of a Firestore database, or follow them to their end.

    mode: `list` tells what the service knows (it forgets old ones); `follow` waits for `operation`, or for all that are
    under way, tells how far they are, and fails if one of them fails. Nothing is changed.

    data: `operations`, the newest first, each with `id`, `kind` (export, import, other), `state`, `done`, `failure`,
    `address`, `began`, `ended` (UTC), `documents`, `expected`, `bytes`, `filtered` (of chosen collections or namespaces
    only); `running`, how many are under way.
    """

    mode: str = param(Choice(LIST, FOLLOW), "List them, or wait for their end.", default=LIST)
    operation: str | None = param(
        Name("operation id", signs="_=-"), "Only the operation with this id.", default=None, example="ASA1MDAw"
    )
    last: int = param(Number(1, 1000, whole=True), "How many to list.", default=20)

    def look(self) -> Sequence[Operation]:
        found = self._wanted()
        if self.mode == FOLLOW:
            for each in found:
                if not each.done:
                    name, doing = each.name, f"waiting for the {each.shown} to end"
                    self.patience.until(
                        lambda name=name: self.firestore.operation(name),  # type: ignore[misc]
                        lambda now: now.done,
                        doing=doing,
                        seen=self.seen,
                    )
            waited = {each.name for each in found if not each.done}
            found = [each for each in self._wanted() if each.name in waited or self.operation is not None]
        return found

    def compare(self, state: Sequence[Operation]) -> Plan:
        running = [each for each in state if not each.done]
        data: dict[str, Any] = {"operations": [each.to_dict() for each in state[: self.last]], "running": len(running)}
        if self.operation is not None and not state:
            return Plan(failure=f"the service knows of no operation {self.operation}", data=data)
        failed = [each for each in state if each.failure]
        if self.mode == FOLLOW and failed:
            return Plan(failure=f"the {failed[0].shown} failed: {failed[0].failure}", data=data)
        if self.mode == FOLLOW:
            return Plan(
                reason=f"{count(len(state), 'operation')} ended well" if state else "none is under way", data=data
            )
        return Plan(reason=f"{count(len(state), 'operation')}, {len(running)} under way", data=data)

    def _wanted(self) -> list[Operation]:
        return [each for each in self.firestore.operations() if self.operation in (None, each.id)]
