"""Immutable records, as small as a target needs them.

A `Record` behaves like a frozen, keyword-only dataclass, and type checkers treat it as one. It exists because
importing `dataclasses` costs more on a target than running a typical task.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda cls: cls


_MISSING = object()


class Field:
    """A field's default: a value, or a function that makes one."""

    __slots__ = ("default", "factory")

    def __init__(self, default: Any = _MISSING, factory: Any = None) -> None:
        self.default = default
        self.factory = factory

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is _MISSING and self.factory is None

    def make(self) -> Any:
        """Return the default value."""
        return self.factory() if self.factory is not None else self.default


def field(*, default: Any = _MISSING, factory: Any = None) -> Any:
    """Declare a field of a `Record`; without arguments the field is required."""
    return Field(default, factory)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class Record:
    """Base of immutable records: annotated class attributes are the fields.

    Raises TypeError for a missing or unknown field, AttributeError when one is assigned later.
    """

    _fields: Mapping[str, Field] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        fields = dict(cls._fields)
        own = "__annotations__" in cls.__dict__ or sys.version_info >= (3, 10)
        for name in cls.__annotations__ if own else {}:
            if name.startswith("_"):
                continue
            value = cls.__dict__.get(name, _MISSING)
            fields[name] = value if isinstance(value, Field) else Field(value)
        cls._fields = fields

    def __init__(self, **values: Any) -> None:
        for name in values:
            if name not in self._fields:
                raise TypeError("%s has no field %r" % (type(self).__name__, name))
        for name, spec in self._fields.items():
            if name in values:
                value = values[name]
            elif spec.required:
                raise TypeError("%s needs a value for %r" % (type(self).__name__, name))
            else:
                value = spec.make()
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("%s is immutable" % type(self).__name__)

    def __delattr__(self, name: str) -> None:
        raise AttributeError("%s is immutable" % type(self).__name__)

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._fields}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        plain = [value for value in self._values().values() if isinstance(value, (str, int, float))]
        return hash((type(self), *plain))

    def __repr__(self) -> str:
        body = ", ".join("%s=%r" % item for item in self._values().items())
        return "%s(%s)" % (type(self).__name__, body)
