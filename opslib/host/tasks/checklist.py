"""Keep the list of what a person must do now and then, and say what is overdue."""

from __future__ import annotations

import time

from opslib.host import ages
from opslib.host.params import Boolean, Duration, Kind, ListOf, ParamError, Path, Text, shown
from opslib.host.plan import CREATE, MODIFY, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.upkeep import kept
from opslib.host.words import count, date, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DAY = 86400
FILE = "checklist.json"
DONE, DUE, OVERDUE, NEVER = "done", "due", "overdue", "never"
_KEYS = ("name", "every", "done", "by", "why")


class Date(Text):
    """A day as 2026-01-31."""

    def __init__(self) -> None:
        super().__init__("day such as 2026-01-31")

    def check(self, value: str) -> str:
        from calendar import timegm

        parts = value.split("-")
        try:
            day = timegm((int(parts[0]), int(parts[1]), int(parts[2]), 0, 0, 0))
            right = len(value) == 10 and time.strftime("%Y-%m-%d", time.gmtime(day)) == value
        except (ValueError, IndexError, OverflowError, OSError):
            right = False
        if not right:
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return value


class Item(Kind):
    """One thing that a person must do: its name, and perhaps how often, when it was last done, and by whom."""

    label = "name, or mapping with name, every, done, by and why"

    def __call__(self, value: Any) -> dict[str, Any]:
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict) or any(key not in _KEYS for key in value):
            raise ParamError("%s is no %s" % (shown(value), self.label))
        kinds: dict[str, Kind] = {"name": Text("name"), "every": Duration(low=1), "done": Date()}
        found = {}
        for key in _KEYS:
            item = value.get(key)
            if item is None or item == "":
                continue
            if key == "done" and hasattr(item, "isoformat"):  # YAML makes a date of it
                item = item.isoformat()[:10]
            try:
                found[key] = kinds.get(key, Text("text"))(item)
            except ParamError as error:
                raise ParamError("%s: %s" % (key, error)) from None
        if not found.get("name") or len(found["name"]) > 200:
            raise ParamError("each item needs a name of at most 200 characters")
        return found


class Checklist(Task, name="checklist"):
    """Say of what only people can do (a review, a drill, training) when it was last done, and what is overdue.

    When an item was done is said by its own `done`, or was recorded on the host by an earlier run with `done`; the
    later of the two counts, but a day in the future, as of a clock that was ahead, does not. An item without `every` is
    to be done once. What was never done is overdue as well.

    data: `file`, `items`: `name`, `state` (done, due: within `soon`, overdue, never), `done` (day, UTC), `by`, `next`
    (day when it is due; null: not again), `overdue_days`, `why`; `overdue_count`.

    Errors: a name in `done` that is no item's, a file that cannot be read or written.
    """

    items: list[dict[str, Any]] = param(
        ListOf(Item(), longest=200),
        "What is to be done: names, or mappings with name, every (a duration), done (a day), by and why.",
        example=[{"name": "Team training", "every": "90d"}],
    )
    done: list[str] = param(ListOf(Text("name of an item")), "Items to record as done today.", default=[])
    by: str | None = param(Text("name"), "Who did them.", default=None, example="anna")
    file: str | None = param(
        Path(), "Where that is recorded; by default in /var/lib/opslib, or in the home of a user.", default=None
    )
    soon: float = param(Duration(), "Seconds before its time from which an item is due.", default="7d")
    strict: bool = param(Boolean(), "Whether an overdue item is a failure; otherwise it is a warning.", default=False)

    def check(self) -> None:
        names = [item["name"] for item in self.items]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            self.refuse("items: %s stands there twice" % shown(twice[0]))
        unknown = [name for name in self.done if name not in names]
        if unknown:
            self.refuse("done: there is no item %s; there are %s" % (shown(unknown[0]), "; ".join(map(shown, names))))
        if self.by and not self.done:
            self.refuse("by goes with done")

    def _path(self) -> str:
        return self.file or "%s/%s" % (kept.folder(), FILE)

    def probe(self) -> dict[str, Any]:
        text = kept.read(self._path())
        return {"now": time.time(), "path": self._path(), "marks": None if text is None else parse(text)}

    def plan(self, state: dict[str, Any]) -> Plan:
        now, marks = state["now"], state["marks"] or {}
        today = date(now)
        changes = []
        for name in self.done:
            before = marks.get(name, {})
            if before.get("done") != today or (self.by and before.get("by") != self.by):
                kind = MODIFY if name in marks else CREATE
                text = "record %s as done today" % shown(name)
                after = {"done": today, "by": self.by or ""}
                old = before.get("done")
                changes.append(Change(kind=kind, summary=text, before=old, after=today, detail=(name, after)))
        rows = [self._row(item, marks.get(item["name"], {}), now) for item in self.items]
        overdue = [row for row in rows if row["state"] in (OVERDUE, NEVER)]
        data = {"file": state["path"], "items": rows, "overdue_count": len(overdue)}
        told = [_words(row) for row in overdue]
        if self.strict and overdue and not changes:
            return Plan(failure="overdue: %s" % listed(told, 20), data=data)
        due = [row["name"] for row in rows if row["state"] == DUE]
        reason = "%s, %d overdue" % (count(len(rows), "item"), len(overdue))
        if due:
            reason += "; due soon: %s" % listed(due, 5)
        words = "%s is said to be done on %s, in the future: that does not count"
        days = [
            (item["name"], one.get("done", "")) for item in self.items for one in (item, marks.get(item["name"], {}))
        ]
        told += [words % each for each in days if _ahead(each[1], now)]
        return Plan(changes=changes, reason=reason, warnings=told[:50], data=data)

    def _row(self, item: dict[str, Any], mark: dict[str, str], now: float) -> dict[str, Any]:
        days = [(one.get("done", ""), one.get("by", "")) for one in (mark, item)]
        done, by = max((day for day in days if not _ahead(day[0], now)), key=lambda day: day[0], default=("", ""))
        following = _time(done) + item["every"] + DAY if done and "every" in item else None
        if not done:
            word = NEVER
        elif following is None or now < following - self.soon:
            word = DONE
        else:
            word = DUE if now < following else OVERDUE
        return {
            "name": item["name"],
            "state": word,
            "done": done or None,
            "by": by or None,
            "next": None if following is None else date(following - DAY),
            "overdue_days": int((now - following) // DAY) + 1 if following is not None and word == OVERDUE else 0,
            "why": item.get("why"),
        }

    def apply(self, change: Change) -> None:
        import json

        text = kept.read(self._path())
        marks = {} if text is None else parse(text)
        name, mark = change.detail
        marks[name] = mark
        kept.write(self._path(), json.dumps(marks, indent=1, sort_keys=True) + "\n")


def parse(text: str) -> dict[str, dict[str, str]]:
    """Return the marks by name. Raises TaskError when it is no file of ours, which might hold what people did."""
    import json

    try:
        marks = json.loads(text)
        day = Date()
        for mark in marks.values():
            day(mark["done"])
            if not isinstance(mark["by"], str):
                raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TaskError("the record of what was done is damaged: repair or remove it") from None
    return dict(marks)


def _ahead(day: str, now: float) -> bool:
    """Whether a day has not come yet, even where days begin first."""
    return bool(day) and ages.ahead(_time(day), now + DAY)


def _time(day: str) -> float:
    from calendar import timegm

    return float(timegm((int(day[:4]), int(day[5:7]), int(day[8:10]), 0, 0, 0)))


def _words(row: dict[str, Any]) -> str:
    if row["state"] == NEVER:
        return "never done: %s" % row["name"]
    return "%d days overdue: %s (last done %s%s)" % (
        row["overdue_days"],
        row["name"],
        row["done"],
        " by " + row["by"] if row["by"] else "",
    )
