"""How a run goes on one host: which steps are still to be done, after what the others have come to.

Known to both sides: the target decides by it, the controller checks by it. The rules are those of Ansible.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Mapping, Optional, Sequence, Tuple

    _Changed = Iterable[Tuple[int, Optional[int]]]


class Course:
    """Takes steps as they end, and says which others are to be done.

    Of a step it looks at `id`; `group`: the same for all items of a loop, None for steps that stand alone;
    `ignore_errors`; `always`: to be done after a failure too; `notified`: ids of the steps that a handler waits for,
    None for what is no handler.

    changed: earlier steps that changed something, with their groups.
    """

    def __init__(self, changed: _Changed = ()) -> None:
        self._changed = dict(changed)
        self._failed: list[Mapping[str, Any]] = []
        self._spoilt: set[int] = set()

    def take(self, step: Mapping[str, Any], *, failed: bool, changed: bool) -> None:
        """Note how a step ended. A loop of which an item failed notifies no handler, whatever the others changed."""
        group = step.get("group")
        if failed and not step.get("ignore_errors"):
            self._failed.append(step)
        if failed and group is not None:
            self._spoilt.add(group)
            self._changed = {key: other for key, other in self._changed.items() if other != group}
        elif changed and not failed and group not in self._spoilt:
            self._changed[step["id"]] = group

    def goes_on(self, step: Mapping[str, Any]) -> bool:
        """Whether failures let a step be done: a loop is gone through to its end, and some steps run always.

        A failure of a step that runs `always` ends those too.
        """
        group = step.get("group")
        over = [other for other in self._failed if group is None or other.get("group") != group]
        return not over or (bool(step.get("always")) and not any(other.get("always") for other in over))

    def comes_to(self, step: Mapping[str, Any]) -> bool:
        """Whether a step is to be done: failures let it be, and if it is a handler, it has been notified."""
        notified = step.get("notified")
        return self.goes_on(step) and (notified is None or any(each in self._changed for each in notified))

    def changed(self, without: Iterable[int] = ()) -> Sequence[tuple[int, int | None]]:
        """Return the steps that notify handlers, with their groups, some ids left out."""
        left_out = set(without)
        return [(key, group) for key, group in sorted(self._changed.items()) if key not in left_out]
