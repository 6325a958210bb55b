"""Kinds of parameter: each checks one value, and gives it back in one canonical, JSON-representable form.

A kind is idempotent (`kind(kind(x)) == kind(x)`), so parameters are checked on the controller, before anything is
sent, and once more on the target, by the same code. Text may come as text from a command line ("yes", "8080").
"""

from __future__ import annotations

from .record import Field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Sequence

    _Units = Dict[str, float]

MAX_TEXT = 65536
_MISSING = object()
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class OpslibError(Exception):
    """Base of all exceptions of opslib; `opslib.errors` holds the tree."""


class UsageError(OpslibError):
    """What was asked cannot be done as it was asked; nothing was touched."""


class ParamError(UsageError, ValueError):
    """A parameter has a value it cannot have; the message names the value and what would be right."""


class Param(Field):
    """A task's parameter: a field with a kind and the words that `opslib show` prints."""

    __slots__ = ("example", "help", "kind")

    def __init__(self, kind: Kind, help: str, default: Any, example: Any) -> None:
        super().__init__() if default is _MISSING else super().__init__(default)
        self.kind = kind
        self.help = help
        self.example = example


def param(kind: Kind, help: str, *, default: Any = _MISSING, example: Any = None) -> Any:
    """Declare a parameter of a task.

    kind: what values it takes; help: one sentence, with units; default: None means "not given" whatever the kind;
    without a default the parameter is required; example: a value worth showing.
    """
    return Param(kind, help, default, example)


class Kind:
    """What values a parameter takes. `label` is shown to people, `ansible` is the type in Ansible's documentation."""

    label = "anything"
    ansible = "raw"
    secret = False
    choices: Sequence[str] = ()

    def __call__(self, value: Any) -> Any:
        """Return the canonical value, or raise ParamError."""
        return value


def shown(value: Any) -> str:
    """Return a value as an error message may show it: quoted, on one line, printable, not too long."""
    try:
        text = ascii(value)
    except Exception:  # a number of thousands of digits, a list that holds itself
        text = "a value of type %s" % type(value).__name__
    return text if len(text) <= 80 else text[:77] + "..."


def _plain(text: str) -> str:
    """Return text as a plain `str`: enumerations and tagged texts are subclasses, which cannot be sent."""
    return text if type(text) is str else str.__str__(text)


def _is_control(c: str) -> bool:
    return (c < " " and c != "\t") or "\x7f" <= c <= "\x9f"


class Boolean(Kind):
    """True or false, also as the words yes/no, true/false, on/off."""

    label = "boolean"
    ansible = "bool"

    def __call__(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else ""
        if isinstance(value, int) and value in (0, 1):
            word = "01"[value]
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise ParamError("%s is no boolean; give true or false" % shown(value))


class Number(Kind):
    """A finite number within limits."""

    def __init__(self, low: float = 0, high: float = 1e15, whole: bool = False) -> None:
        self.low, self.high, self.whole = low, high, whole
        self.ansible = "int" if whole else "float"
        self.label = "%s from %s to %s" % ("whole number" if whole else "number", low, high)

    def __call__(self, value: Any) -> Any:
        try:
            if isinstance(value, bool) or not isinstance(value, (int, float, str)) or len(str(value)) > 40:
                raise ValueError
            number: Any = int(value) if self.whole and not isinstance(value, float) else float(value)
            if self.whole and number != int(number):
                raise ValueError
            number = int(number) if self.whole else number
        except (ValueError, OverflowError):
            raise ParamError("%s is no %s" % (shown(value), self.label)) from None
        if not self.low <= number <= self.high:
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return number


class Percent(Number):
    """A percentage, as 90 or "90%". Canonical: a number."""

    def __init__(self) -> None:
        super().__init__(0, 100)
        self.label = "percentage from 0 to 100"

    def __call__(self, value: Any) -> Any:
        text = value.strip() if isinstance(value, str) else ""
        number = super().__call__(text[:-1].strip() if text.endswith("%") else value)
        return int(number) if number == int(number) else number


class Text(Kind):
    """Text without NUL; one line unless `lines`; `secret` text is never repeated in an error."""

    ansible = "str"

    def __init__(self, label: str = "text", lines: bool = False, empty: bool = False, secret: bool = False) -> None:
        self.label, self.lines, self.empty, self.secret = label, lines, empty, secret

    def __call__(self, value: Any) -> str:
        if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e40):
            value = repr(float(value) if isinstance(value, float) else int(value))
        if not isinstance(value, str):
            raise ParamError("%s is no %s" % (self._shown(value), self.label))
        value = _plain(value)
        if not value and not self.empty:
            raise ParamError("it is empty; give a %s" % self.label)
        if len(value) > MAX_TEXT:
            raise ParamError("it has %d characters; at most %d are taken" % (len(value), MAX_TEXT))
        if "\0" in value or (not self.lines and not value.isprintable() and any(map(_is_control, value))):
            raise ParamError("%s holds a control character" % self._shown(value))
        return self.check(value)

    def _shown(self, value: Any) -> str:
        return "the value" if self.secret else shown(value)

    def check(self, value: str) -> str:
        """Return the text as it is to be used, or raise ParamError; for kinds that ask for more."""
        return value


class Choice(Kind):
    """One of a few words."""

    ansible = "str"

    def __init__(self, *choices: str) -> None:
        self.choices = choices
        self.label = " | ".join(choices)

    def __call__(self, value: Any) -> str:
        if isinstance(value, str) and value in self.choices:
            return _plain(value)
        raise ParamError("%s is none of %s" % (shown(value), ", ".join(self.choices)))


class Path(Text):
    """An absolute path without `..`."""

    ansible = "path"

    def __init__(self) -> None:
        super().__init__("absolute path")

    def check(self, value: str) -> str:
        if not value.startswith("/") or ".." in value.split("/"):
            raise ParamError("%s is no absolute path without '..'" % shown(value))
        try:
            length = len(value.encode("utf-8", "surrogateescape"))
        except UnicodeError:
            raise ParamError("%s is no file name: it holds half a character" % shown(value)) from None
        if length > 4095:
            raise ParamError("the path is longer than 4095 bytes")
        return "/" + "/".join(part for part in value.split("/") if part not in ("", "."))


class Regex(Text):
    """A regular expression in Python's syntax."""

    def __init__(self) -> None:
        super().__init__("regular expression")

    def check(self, value: str) -> str:
        import re
        import warnings

        try:
            with warnings.catch_warnings():  # Python remarks on patterns that a later version may read otherwise
                warnings.simplefilter("ignore")
                re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            raise ParamError("%s is no regular expression: %s" % (shown(value), error)) from None
        return value


class Glob(Text):
    """A file name pattern with * ? [ ], matched against the name only."""

    def __init__(self) -> None:
        super().__init__("file name pattern")

    def check(self, value: str) -> str:
        if "/" in value:
            raise ParamError("%s: a pattern matches a file's name, so it holds no '/'" % shown(value))
        return value


class Name(Text):
    """A name made of letters, digits and a few signs, not beginning with `-`; for units, users, packages."""

    def __init__(self, label: str, signs: str = "_.-", longest: int = 255) -> None:
        super().__init__(label)
        self.signs, self.longest = signs, longest

    def check(self, value: str) -> str:
        bad = [c for c in value if c not in _WORD and c not in self.signs]
        if bad or value.startswith(("-", ".")) or len(value) > self.longest:
            raise ParamError(
                "%s is no %s: letters, digits and %s, not beginning with '-' or '.', at most %d characters"
                % (shown(value), self.label, self.signs, self.longest)
            )
        return value


class _Measure(Kind):
    """A quantity with a unit suffix."""

    ansible = "str"
    units: _Units = _SECONDS

    def measure(self, value: Any) -> float:
        """Return the quantity in the base unit, or raise ParamError."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number, unit = (float(value) if abs(value) < 1e18 else 1e18), 1.0
        elif isinstance(value, str) and len(value) <= 40:
            text = value.strip()
            digits = text.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ")
            suffix = text[len(digits) :].strip()
            try:
                number, unit = float(digits), self.unit(suffix) if suffix else 1.0
            except (ValueError, KeyError):
                raise ParamError("%s is no %s" % (shown(value), self.label)) from None
        else:
            raise ParamError("%s is no %s" % (shown(value), self.label))
        total = number * unit
        if not 0 <= total < 1e18:
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return total

    def unit(self, suffix: str) -> float:
        """Return the factor of a unit; KeyError when there is no such unit."""
        return self.units[suffix]


class Duration(_Measure):
    """A time span: seconds, or a number with ms, s, m, h, d or w. Canonical: seconds as a number."""

    label = "duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w"
    units = _SECONDS

    def __init__(self, low: float = 0) -> None:
        self.low = low

    def __call__(self, value: Any) -> float:
        seconds = self.measure(value)
        if seconds < self.low:
            raise ParamError("%s is shorter than %g seconds" % (shown(value), self.low))
        return int(seconds) if seconds == int(seconds) else seconds


class Size(_Measure):
    """A number of bytes, or a number with K, M, G or T (powers of 1024). Canonical: whole bytes."""

    label = "size in bytes, or as 512K, 100M, 2G, 1T"

    def unit(self, suffix: str) -> float:
        word = suffix.upper()
        return _BYTES[word if len(word) == 1 else word.replace("IB", "").replace("B", "")]

    def __call__(self, value: Any) -> int:
        return int(self.measure(value))


class Threshold(Size):
    """A percentage as "90%", or a size. Canonical: text such as "90%", or whole bytes."""

    label = "percentage as 90%, or a size as 512M"

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str) and value.strip().endswith("%"):
            number = Number(0, 100)(value.strip()[:-1].strip())
            return "%g%%" % number
        return super().__call__(value)


class Port(Number):
    """A TCP port."""

    def __init__(self) -> None:
        super().__init__(1, 65535, whole=True)
        self.label = "port from 1 to 65535"


class Mode(Text):
    """File permission bits in octal ("0640"). Canonical: four octal digits."""

    def __init__(self) -> None:
        super().__init__("octal file mode such as 0640")

    def __call__(self, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            raise ParamError("%s: write the mode as text, in quotes, such as '0640'" % shown(value))
        return super().__call__(value)

    def check(self, value: str) -> str:
        if not 3 <= len(value) <= 4 or any(c not in "01234567" for c in value):
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return value.zfill(4)


class Url(Text):
    """An http or https URL without credentials."""

    def __init__(self) -> None:
        super().__init__("http or https URL")

    def check(self, value: str) -> str:
        scheme, found, rest = value.partition("://")
        host = rest.split("/")[0].split("?")[0].split("#")[0]
        if "@" in (host or value):
            raise ParamError("the URL holds a user name or password; credentials do not belong into a URL")
        if scheme.lower() not in ("http", "https") or not found or not host or not value.isascii():
            raise ParamError("%s is no %s" % (shown(value), self.label))
        if any(c.isspace() or ord(c) < 33 or c in '"<>\\^`{|}' for c in value):
            raise ParamError("%s holds a character that no URL may hold" % shown(value))
        name, colon, port = host.rpartition(":") if ":" in host.rpartition("]")[2] else (host, "", "")
        bracketed = name.startswith("[") and name.endswith("]")
        if colon:
            Port()(port)
        if name in ("", "[]") or (not bracketed and any(c in name for c in "[]:")):
            raise ParamError("%s is no %s: %s is no host name" % (shown(value), self.label, shown(name)))
        return value


class ListOf(Kind):
    """A list whose items are of one kind; text is taken as items separated by commas."""

    ansible = "list"

    def __init__(self, item: Kind, empty: bool = True, longest: int = 1000) -> None:
        self.item, self.empty, self.longest = item, empty, longest
        self.label = "list of %s" % item.label
        self.secret = item.secret

    def __call__(self, value: Any) -> list[Any]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, (list, tuple)):
            raise ParamError("%s is no list" % ("the value" if self.secret else shown(value)))
        if not value and not self.empty:
            raise ParamError("the list is empty")
        if len(value) > self.longest:
            raise ParamError("the list has %d items; at most %d are taken" % (len(value), self.longest))
        items = []
        for number, item in enumerate(value):
            try:
                items.append(self.item(item))
            except ParamError as error:
                raise ParamError("item %d: %s" % (number + 1, error)) from None
        return items


class Mapping(Kind):
    """Names with values that JSON can represent."""

    label = "mapping"
    ansible = "dict"

    def __init__(self, value: Kind | None = None, secret: bool = False) -> None:
        self.value = value
        self.secret = secret or (value is not None and value.secret)
        if value is not None:
            self.label = "mapping of names to %s" % value.label

    def __call__(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) and key for key in value):
            raise ParamError("%s is no mapping of names to values" % ("the value" if self.secret else shown(value)))
        items = {}
        for key, item in value.items():
            try:
                items[_plain(key)] = json_value(item) if self.value is None else self.value(item)
            except ParamError as error:
                why = "its value cannot be represented in JSON" if self.secret and self.value is None else str(error)
                raise ParamError("%s: %s" % (shown(key), why)) from None
        return items


def json_value(value: Any, depth: int = 0) -> Any:
    """Return a value rebuilt from plain JSON types, or raise ParamError."""
    if depth > 20:
        raise ParamError("the value is nested more than 20 deep")
    if value is None or isinstance(value, (bool, int, float, str)):
        if isinstance(value, str):
            return _plain(value)
        if value is None or isinstance(value, bool):
            return value
        if not -1e300 < value < 1e300:  # infinite, not a number, or of thousands of digits
            raise ParamError("%s cannot be represented in JSON" % shown(value))
        return float(value) if isinstance(value, float) else int(value)
    if isinstance(value, (list, tuple)):
        return [json_value(item, depth + 1) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {_plain(key): json_value(item, depth + 1) for key, item in value.items()}
    raise ParamError("%s cannot be represented in JSON" % shown(value))


USER = Name("user name", signs="_.-$", longest=32)
