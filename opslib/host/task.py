"""The base of every host task: parameters that are checked, and probe / plan / apply."""

from __future__ import annotations

from . import wire
from .params import Param, ParamError, param, shown
from .plan import ACTION, CREATE, MODIFY, REMOVE, Change, Plan
from .record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Iterator, dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda cls: cls


__all__ = ["ACTION", "CREATE", "MODIFY", "REMOVE", "Change", "CutShort", "Plan", "Task", "TaskError", "field", "param"]


class TaskError(Exception):
    """The task cannot do its work on this host; the step fails with this message.

    data: what helps to understand it (a log tail, a command's output); must be representable in JSON.
    """

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.data = data


class CutShort(BaseException):
    """Raised inside a step whose time is up or whose run was stopped, if its task has `cleanup_seconds`.

    `clean_up` then has that long; after that, or at once in any other task, the process is killed.
    """


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(param,))
class Task(Record):
    """A unit of work on a host, described by its parameters.

    The runtime calls `probe`, then `plan`, and unless checking `apply` for each change, `clean_up` and `verify`, then
    `probe` and `plan` once more; a second plan that still holds changes other than actions fails the step.

    Making one checks every parameter. Raises ParamError (a ValueError) that names the parameter and the value.
    """

    name: ClassVar[str] = ""
    _fields: dict[str, Param]
    runs_on = "host"  # or "controller", for what is done from there: cloud tasks
    cleanup_seconds = 0.0  # how long `clean_up` may take in a step that is cut short

    def __init_subclass__(cls, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        fields = {key: spec for key, spec in cls._fields.items() if key != "name" or isinstance(spec, Param)}
        wrong = [key for key, spec in fields.items() if hasattr(Task, key) or not isinstance(spec, Param)]
        if wrong:
            raise TypeError(
                "%s.%s is no parameter: declare it with param(), under a name that Task has no other use for"
                % (cls.__name__, wrong[0])
            )
        cls._fields = fields
        cls.name = name

    def __init__(self, **args: Any) -> None:
        unknown = [key for key in args if key not in self._fields]
        if unknown:
            raise ParamError(
                "%s has no parameter %s; it has %s" % (self.name, shown(unknown[0]), ", ".join(self._fields) or "none")
            )
        values = {}
        for key, spec in self._fields.items():
            value = args.get(key)
            if value is None:
                if spec.required:
                    raise ParamError("%s: %s is required (%s)" % (self.name, key, spec.kind.label))
                value = spec.default
            if value is not None:
                try:
                    value = spec.kind(value)
                except ParamError as error:
                    raise ParamError("%s: %s: %s" % (self.name, key, error)) from None
            values[key] = value
        super().__init__(**values)
        self.check()

    @classmethod
    def parameters(cls) -> dict[str, Param]:
        """Return the parameters by name, in the order of their declaration."""
        return dict(cls._fields)

    def args(self) -> dict[str, Any]:
        """Return the canonical parameters, representable in JSON, from which the same task can be made again."""
        return {key: value for key, value in self._values().items() if value is not None}

    def secrets(self) -> Iterator[str]:
        """Yield every text among the parameters that must never be shown."""
        for key, spec in self._fields.items():
            if spec.kind.secret:
                yield from _texts(getattr(self, key))

    def __repr__(self) -> str:
        body = ("%s=%s" % (k, "***" if self._fields[k].kind.secret else repr(v)) for k, v in self.args().items())
        return str(wire.mask("%s(%s)" % (self.name, ", ".join(body)), self.secrets()))

    def check(self) -> None:
        """Refuse parameters that contradict each other, with `self.refuse`. Pure."""

    def refuse(self, message: str) -> None:
        """Raise the ParamError for a contradiction between parameters."""
        raise ParamError("%s: %s" % (self.name, message))

    def probe(self) -> Any:
        """Read the state of the host. Never writes."""
        raise NotImplementedError

    def plan(self, state: Any) -> Plan:
        """Compare the state with the parameters. Pure: no I/O, no clock."""
        raise NotImplementedError

    def apply(self, change: Change) -> None:
        """Carry out one change. Raises TaskError when it cannot."""
        raise NotImplementedError

    def clean_up(self) -> str:
        """Put right what `apply` has begun and must not last, whatever came of it; return what was done, in words.

        Called once after the last `apply`, or the one that failed or was cut short; in a task with `cleanup_seconds`
        no stop disturbs it. Its words stand in the error of a step that fails. Raises TaskError when it cannot.
        """
        return ""

    def tell(self, message: dict[str, Any]) -> None:
        """Say something to whoever follows the run, at once: the event StepTold. Must be representable in JSON.

        May be called wherever the task works, as often as it likes; secrets among the parameters are masked. Nothing
        of it is kept in the result. Where nobody follows, it goes nowhere.
        """

    def verify(self, plan: Plan) -> None:
        """Watch what was applied prove itself (a restarted service stays up). Raises TaskError when it does not."""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
