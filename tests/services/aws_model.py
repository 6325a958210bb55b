"""Requests and answers held against the model of a service that AWS publishes in botocore.

botocore's own validator knows required members, types and least lengths. This one also looks at members that do not
exist, at enums, patterns and greatest lengths, and at answers as well as requests, on the wire's own form.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape

NUMBERS = {"integer": int, "long": int, "float": (int, float), "double": (int, float), "timestamp": (int, float)}


@functools.cache
def model(service: str) -> Model:
    """Return a service's model by botocore's name."""
    return Model(botocore.session.get_session().get_service_model(service))


class Model:
    """The operations of one service."""

    def __init__(self, found: ServiceModel) -> None:
        self.found = found
        self.names = frozenset(found.operation_names)

    def operation(self, name: str) -> OperationModel:
        return self.found.operation_model(name)

    def errors(self, name: str) -> set[str]:
        """Return the codes of the errors that an operation declares."""
        return {
            shape.metadata.get("error", {}).get("code") or shape.name for shape in self.operation(name).error_shapes
        }

    def wrong_request(self, name: str, body: Any, *, loose: frozenset[str] = frozenset()) -> list[str]:
        """Return what is wrong with a request's body; the patterns of the shapes in `loose` are not looked at."""
        return list(_wrong(self.operation(name).input_shape, body, "", loose))

    def wrong_answer(self, name: str, body: Any, *, loose: frozenset[str] = frozenset()) -> list[str]:
        """Return what is wrong with an answer's body; `loose` as for requests."""
        shape = self.operation(name).output_shape
        if shape is None:
            return [] if body in ({}, None) else [f"an answer where none is declared: {body!r:.100}"]
        return list(_wrong(shape, body, "", loose))


def _wrong(shape: Shape | None, value: Any, at: str, loose: frozenset[str]) -> Iterator[str]:
    kind = shape.type_name if shape is not None else "structure"
    if kind == "structure":
        yield from _wrong_structure(shape, value, at, loose)
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{at}: a list is expected, not {value!r:.100}"
            return
        yield from _wrong_size(shape, len(value), at)
        for number, each in enumerate(value):
            yield from _wrong(shape.member, each, f"{at}[{number}]", loose)
    elif kind == "map":
        if not isinstance(value, dict):
            yield f"{at}: a map is expected, not {value!r:.100}"
            return
        yield from _wrong_size(shape, len(value), at)
        for key, each in value.items():
            yield from _wrong(shape.key, key, f"{at}.{key} (key)", loose)
            yield from _wrong(shape.value, each, f"{at}.{key}", loose)
    elif kind == "string":
        yield from _wrong_text(shape, value, at, loose)
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{at}: true or false is expected, not {value!r:.100}"
    elif kind in NUMBERS:
        if isinstance(value, bool) or not isinstance(value, NUMBERS[kind]):
            yield f"{at}: {kind} is expected, not {value!r:.100}"
        else:
            yield from _wrong_size(shape, value, at)


def _wrong_structure(shape: Any, value: Any, at: str, loose: frozenset[str]) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at or 'body'}: a structure is expected, not {value!r:.100}"
        return
    members = shape.members if shape is not None else {}
    for key, each in value.items():
        if key not in members:
            yield f"{at}.{key}: there is no such member; there are {', '.join(members) or 'none'}"
        else:
            yield from _wrong(members[key], each, f"{at}.{key}", loose)
    for key in shape.required_members if shape is not None else ():
        if value.get(key) is None:
            yield f"{at}.{key}: is required"


def _wrong_text(shape: Any, value: Any, at: str, loose: frozenset[str]) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{at}: a text is expected, not {value!r:.100}"
        return
    yield from _wrong_size(shape, len(value), at)
    if shape.enum and value not in shape.enum:
        yield f"{at}: {value!r:.100} is none of {', '.join(shape.enum)}"
    pattern = shape.metadata.get("pattern")
    if pattern and shape.name not in loose and not _pattern(pattern).fullmatch(value):
        yield f"{at}: {value!r:.100} does not match {pattern}"


def _wrong_size(shape: Any, size: float, at: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"{at}: {size} is below {least}"
    if most is not None and size > most:
        yield f"{at}: {size} is above {most}"


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    # Java's classes of Unicode letters, separators and numbers, which Python does not have
    return re.compile(text.replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\d").replace(r"\p{Z}", r"\s"), re.DOTALL)
