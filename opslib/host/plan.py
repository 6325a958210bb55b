"""What a task intends: changes, or the reason why there are none."""

from __future__ import annotations

from .record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

CREATE, MODIFY, REMOVE, ACTION = "create", "modify", "remove", "action"
KINDS = (CREATE, MODIFY, REMOVE, ACTION)


class Change(Record):
    """One thing that `apply` would do.

    kind: `create`, `modify` or `remove` for a difference between what is and what should be; `action` for an act
        that is no state (a restart, a rotation), which a second plan may contain again.
    summary: one line for people, in the imperative ("start nginx.service").
    before, after: the two sides of the diff (text, number or None); never shown when `sensitive`.
    certain: False where the outcome can't be foreseen in full; shown as "may change".
    detail: what `apply` needs to know; never reported.
    """

    kind: str
    summary: str
    before: Any = None
    after: Any = None
    sensitive: bool = False
    certain: bool = True
    detail: Any = None

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        if self.kind not in KINDS:
            raise ValueError("change kind %r is none of %s" % (self.kind, ", ".join(KINDS)))


class Plan(Record):
    """The outcome of comparing state with parameters.

    changes: what to do, in order.
    reason: why there is nothing to do, or what was found, in words ("nginx.service is already started").
    failure: set when the state violates what was asked and no change can mend it; the step fails, nothing is applied.
    finding: the same, but that the changes are made all the same; the step fails after them.
    warnings: remarks that do not fail the step.
    data: facts worth keeping in the result; must be representable in JSON.
    """

    changes: Sequence[Change] = ()
    reason: str = ""
    failure: str = ""
    finding: str = ""
    warnings: Sequence[str] = ()
    data: dict[str, Any] = field(factory=dict)
