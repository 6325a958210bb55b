"""Google's own descriptions of its REST services, which google-api-python-client carries, as a judge of what is sent.

https://developers.google.com/discovery/v1/reference/apis explains the form of these documents.
"""

from __future__ import annotations

import base64
import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

__all__ = ["Description", "Method", "described"]

_LIMITS = {"int32": (-(1 << 31), (1 << 31) - 1), "uint32": (0, (1 << 32) - 1)}
_WIDE = {"int64": (-(1 << 63), (1 << 63) - 1), "uint64": (0, (1 << 64) - 1)}


@dataclass(frozen=True)
class Method:
    """One operation of a service: its short name (`databases.exportDocuments`), and where it is to be found."""

    name: str
    verb: str
    pattern: re.Pattern[str]
    parameters: Mapping[str, Any]
    request: str | None
    response: str | None

    def match(self, verb: str, path: str) -> dict[str, str] | None:
        """Return the parts of the path by name when a request is for this method."""
        found = self.pattern.fullmatch(path) if verb == self.verb else None
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


class Description:
    """A service's methods and schemas; `problems` says what in a message contradicts them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.schemas = document["schemas"]
        self.common = document["parameters"]
        self.prefix = "/" + document["servicePath"]
        self.methods = [self._method(each) for each in _methods(document["resources"])]

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """Return the method that a request is for, and the parts of its path."""
        for method in self.methods:
            parts = method.match(verb, path)
            if parts is not None:
                return method, parts
        return None

    def query_problems(self, method: Method, query: Mapping[str, str]) -> Iterator[str]:
        """Yield what is wrong with the query of a request."""
        known = {**self.common, **method.parameters}
        for name, value in query.items():
            if name not in known:
                yield f"{method.name} has no parameter {name}"
            else:
                yield from self._scalar_problems(known[name], _typed(known[name], value), name, lenient=True)
        for name, each in method.parameters.items():
            if each.get("required") and each["location"] == "query" and name not in query:
                yield f"{method.name} needs the parameter {name}"

    def problems(self, schema: str, message: Any, *, lenient: bool = False) -> list[str]:
        """Return what in a message contradicts a schema.

        lenient: take what services take, too: numbers for numbers in text and for the words of enumerations.
        """
        return list(self._problems({"$ref": schema}, message, schema, lenient))

    def _method(self, each: Mapping[str, Any]) -> Method:
        parameters = each.get("parameters", {})
        pattern = self.prefix if self.prefix != "/" else "/"
        for text, name in re.findall(r"([^{]*)(?:\{(\+?\w+)\})?", each["path"]):
            pattern += re.escape(text)
            if name.startswith("+"):
                inner = parameters[name[1:]].get("pattern", "^.*$").removeprefix("^").removesuffix("$")
                if name == "+parent":  # the description forgets that the root of documents is a parent, too
                    inner = inner.replace("/documents/[^/]+/.*", "/documents(?:/[^/]+/.*)?")
                pattern += f"(?P<{name[1:]}>{inner})"
            elif name:
                pattern += f"(?P<{name}>[^/]+)"
        return Method(
            ".".join(each["id"].split(".")[-2:]),
            each["httpMethod"],
            re.compile(pattern),
            parameters,
            each.get("request", {}).get("$ref"),
            each.get("response", {}).get("$ref"),
        )

    def _problems(self, spec: Mapping[str, Any], value: Any, where: str, lenient: bool) -> Iterator[str]:
        if "$ref" in spec:
            spec = self.schemas[spec["$ref"]]
        kind = spec.get("type")
        if kind == "any" or (value is None and lenient):
            return
        if kind == "array":
            if not isinstance(value, list):
                yield f"{where} is no list: {value!r}"
                return
            for number, item in enumerate(value):
                yield from self._problems(spec["items"], item, f"{where}[{number}]", lenient)
        elif kind == "object":
            if not isinstance(value, Mapping):
                yield f"{where} is no object: {value!r}"
                return
            yield from self._member_problems(spec, value, where, lenient)
        else:
            yield from self._scalar_problems(spec, value, where, lenient)

    def _member_problems(
        self, spec: Mapping[str, Any], value: Mapping[str, Any], where: str, lenient: bool
    ) -> Iterator[str]:
        properties, more = spec.get("properties", {}), spec.get("additionalProperties")
        for name, item in value.items():
            inner = properties.get(name, more)
            if inner is None:
                yield f"{where} has no member {name}"
            else:
                yield from self._problems(inner, item, f"{where}.{name}", lenient)

    def _scalar_problems(self, spec: Mapping[str, Any], value: Any, where: str, lenient: bool) -> Iterator[str]:
        kind, form = spec.get("type"), spec.get("format", "")
        if kind == "string" and form in _WIDE:
            if not (isinstance(value, str) or (lenient and _is_whole(value))) or not _within(value, *_WIDE[form]):
                yield f"{where} is no {form} as text: {value!r}"
        elif kind == "string":
            if (lenient and "enum" in spec and _is_whole(value)) or (
                value is None and spec.get("enum") == ["NULL_VALUE"]
            ):
                return
            if not isinstance(value, str):
                yield f"{where} is no text: {value!r}"
            elif "enum" in spec and value not in spec["enum"]:
                yield f"{where} is none of {', '.join(spec['enum'])}: {value!r}"
            elif not _FORMS.get(form, bool)(value) and form in _FORMS:
                yield f"{where} is no {form}: {value!r}"
        elif kind == "integer":
            if not _is_whole(value) or not _within(value, *_LIMITS.get(form, _WIDE["int64"])):
                yield f"{where} is no {form or 'whole number'}: {value!r}"
        elif kind == "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                yield f"{where} is no number: {value!r}"
        elif kind == "boolean" and not isinstance(value, bool):
            yield f"{where} is no boolean: {value!r}"


@functools.cache
def described(name: str) -> Description:
    """Return the description of a service such as `storage.v1`. Raises RuntimeError when it is not installed."""
    found = importlib.util.find_spec("googleapiclient")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("google-api-python-client is missing; these tests need it: pip install 'opslib[test]'")
    folder = Path(next(iter(found.submodule_search_locations))) / "discovery_cache" / "documents"
    return Description(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


def _methods(resources: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in resources.values():
        yield from each.get("methods", {}).values()
        yield from _methods(each.get("resources", {}))


def _typed(spec: Mapping[str, Any], value: str) -> Any:
    """Return a query's text as what it stands for; text that stands for nothing stays text, and is refused."""
    kind = spec.get("type")
    if kind == "boolean" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind == "integer" and _within(value, *_WIDE["int64"]):
        return int(value)
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _within(value: Any, low: int, high: int) -> bool:
    try:
        return low <= int(value) <= high
    except ValueError:
        return False


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(re.sub(r"\.(\d{6})\d{0,3}", r".\1", value)).tzinfo is not None
    except ValueError:
        return False


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        return False
    return True


_FORMS = {
    "google-datetime": _is_time,
    "date-time": _is_time,
    "byte": _is_base64,
    "google-duration": re.compile(r"-?\d+(\.\d{1,9})?s").fullmatch,
    "google-fieldmask": re.compile(r"[\w.,`*]*").fullmatch,
}
