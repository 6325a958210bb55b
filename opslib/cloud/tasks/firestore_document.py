"""Read a Firestore document, or correct some of its fields."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping as AnyMapping
from typing import Any

from opslib.cloud.errors import MalformedError, RefusedError
from opslib.cloud.gcp.firestore import Document
from opslib.cloud.gcp.firestore_task import FirestoreTask
from opslib.cloud.gcp.firestore_values import (
    FieldPath,
    at,
    canonical,
    contradictions,
    field_path,
    mask,
    nested,
    plain,
    typed,
)
from opslib.cloud.gcp.times import stamp
from opslib.cloud.settled import settle
from opslib.cloud.task import CREATE, MODIFY, Change, Plan, TaskError, param
from opslib.host.params import Boolean, ListOf, Mapping, ParamError, Text, shown
from opslib.host.words import listed, printable

__all__ = ["FirestoreDocument"]

_CHANGED = ("FAILED_PRECONDITION", "ABORTED", "NOT_FOUND", "ALREADY_EXISTS")
_MOST = 64 << 10  # characters of a document in a result


class _DocumentPath(Text):
    """The path of a document: collection/document, perhaps more such pairs.

    Source: https://firebase.google.com/docs/firestore/quotas (collections, documents and fields).
    """

    def __init__(self) -> None:
        super().__init__("path of a document such as recommendations/rec_001")

    def check(self, value: str) -> str:
        parts = value.split("/")
        wrong = [part for part in parts if part in ("", ".", "..") or (part.startswith("__") and part.endswith("__"))]
        if len(parts) % 2 or wrong or len(value.encode()) > 6144:
            raise ParamError(f"{shown(value)} is no {self.label}")
        return value


class FirestoreDocument(FirestoreTask, name="firestore_document"):
    """Read one Firestore document; with `set` or `unset`, correct those fields, and no others.

    All fields are changed at once, and only if the document is still as it was looked at: if somebody changed it since,
    nothing is done and the step fails. A document that is not there is made only with `create`. Values are those of
    JSON, or typed as the REST interface writes them: `{"timestampValue": "2026-01-31T02:00:00Z"}`.

    data: `path`, `exists`, `fields` (null when `hidden`, or when too long), `created`, `changed` (UTC).
    """

    path: str = param(_DocumentPath(), "The document: collection/document.", example="recommendations/rec_001")
    set: dict[str, Any] = param(
        Mapping(),
        "Fields by path (address.city), with the values they are to have.",
        default={},
        example={"status": "pending"},
    )
    unset: list[str] = param(ListOf(Text("path of a field"), longest=200), "Paths of fields to remove.", default=[])
    create: bool = param(Boolean(), "Make the document if it is not there.", default=False)
    hidden: bool = param(Boolean(), "Show no value, neither in the diff nor in the result.", default=False)

    def check(self) -> None:
        wanted = list(self._wanted)
        for one, other in contradictions([*wanted, *map(field_path, self.unset)]):
            self.refuse(f"{mask(one)} and {mask(other)} cannot both be changed: one lies within the other")

    @functools.cached_property
    def _wanted(self) -> dict[FieldPath, dict[str, Any]]:
        wanted = {}
        for name, value in self.set.items():
            try:
                wanted[field_path(name)] = typed(value)
            except ParamError as error:
                self.refuse(f"set: {shown(name)}: {error}")
        return wanted

    def look(self) -> Document | None:
        return self.firestore.document(self.path)

    def compare(self, state: Document | None) -> Plan:
        data = self._data(state)
        fields = state.fields if state is not None else {}
        setting = {path: value for path, value in self._wanted.items() if _differs(at(fields, path), value)}
        removing = [path for path in map(field_path, self.unset) if at(fields, path) is not None]
        if state is None and (setting or self.unset) and not self.create:
            return Plan(failure=f"there is no document {self.path}; say create: true if it is to be made", data=data)
        if not setting and not removing:
            asked = "all fields are so" if self._wanted or self.unset else "it is there" if state else "there is none"
            return Plan(reason=f"{self.path}: {asked}", data=data)
        paths = [*setting, *removing]
        named = listed([printable(mask(path)) for path in paths], 5)
        change = Change(
            kind=CREATE if state is None else MODIFY,
            summary=f"{'make' if state is None else 'correct'} {self.path}: {named}",
            before=None if state is None else _lines({path: at(fields, path) for path in paths}),
            after=_lines({path: setting.get(path) for path in paths}),
            sensitive=self.hidden,
            detail=(state, setting, paths),
        )
        return Plan(changes=[change], data=data)

    def apply(self, change: Change) -> None:
        state, setting, paths = change.detail
        write = {
            "update": {"name": self.firestore.reference(self.path), "fields": nested(setting)},
            "updateMask": {"fieldPaths": [mask(path) for path in paths]},
            "currentDocument": {"exists": False} if state is None else {"updateTime": state.version},
        }
        try:
            settle(self, lambda: self.firestore.commit([write]), self._done, doing=f"changing {self.path}")
        except RefusedError as error:
            if error.code not in _CHANGED:
                raise
            why = "was changed by somebody else since it was looked at"
            raise TaskError(f"{self.path} {why}; nothing was done: run this again ({error})") from error

    def _done(self) -> bool:
        return not self.compare(self.look()).changes

    def _data(self, state: Document | None) -> dict[str, Any]:
        fields: Any = None
        if state is not None and not self.hidden:
            try:
                fields = {name: plain(value) for name, value in state.fields.items()}
                fields = fields if len(json.dumps(fields)) <= _MOST else None
            except (AttributeError, LookupError, StopIteration, TypeError, ValueError, RecursionError):
                raise MalformedError(f"{self.path}: its fields make no sense: {str(state.fields)[:200]}") from None
        return {
            "path": self.path,
            "exists": state is not None,
            "fields": fields,
            "created": stamp(state.created) if state else None,
            "changed": stamp(state.changed) if state else None,
        }


def _differs(found: AnyMapping[str, Any] | None, wanted: AnyMapping[str, Any]) -> bool:
    try:
        return found is None or canonical(found) != canonical(wanted)
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        raise MalformedError(f"a field makes no sense: {str(found)[:200]}") from None


def _lines(values: AnyMapping[FieldPath, AnyMapping[str, Any] | None]) -> str:
    return "".join(
        f"{mask(path)}: {'(none)' if value is None else json.dumps(plain(value), sort_keys=True)}\n"
        for path, value in values.items()
    )
