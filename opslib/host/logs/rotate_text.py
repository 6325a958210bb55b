"""The text of a logrotate configuration, and what logrotate says about one: pure functions and kinds of parameter.

Sources: logrotate(8) and config.c of logrotate 3.8 to 3.22, which tell what can be quoted (a brace and a backslash
cannot) and that a script ends at the first line whose first letters are `endscript`.
"""

from __future__ import annotations

from opslib.host.params import Kind, ParamError, Path, shown
from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Sequence

MANAGED = "# Managed by opslib: what is changed here by hand is overwritten by the next run.\n"
ASIDE = ".opslib~"  # ends in ~, so logrotate never reads it; a leading dot would make it do so
TABOO = (
    *(",v", ".bak", ".cfsaved", ".disabled", ".swp", "~", ".rpmnew", ".rpmorig", ".rpmsave"),
    *(".dpkg-bak", ".dpkg-del", ".dpkg-dist", ".dpkg-new", ".dpkg-old", ".dpkg-tmp"),
    *(".ucf-dist", ".ucf-new", ".ucf-old"),
)
MAX_SCRIPT = 500
_PLAIN = "/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.*?[]-+@%:,=^!"
_SCRIPTS = ("prerotate", "postrotate", "firstaction", "lastaction", "preremove")


class LogPath(Path):
    """An absolute path or glob of logs, of characters that logrotate can read in quotes."""

    def __init__(self) -> None:
        super().__init__()
        self.label = "absolute path or glob of logs"

    def check(self, value: str) -> str:
        bad = [c for c in value if c in '"\\{}' or not c.isprintable()]
        if bad:
            raise ParamError("%s holds %s, which logrotate cannot read in a path" % (shown(value), shown(bad[0])))
        clean = super().check(value)
        if clean == "/":
            raise ParamError("%s is no path of logs" % shown(value))
        return clean


class Script(Kind):
    """Shell command lines: a list of lines, or one text. Canonical: the lines as they are."""

    label = "list of shell command lines"
    ansible = "raw"

    def __call__(self, value: Any) -> list[str]:
        lines = value.split("\n") if isinstance(value, str) else value
        if not isinstance(lines, (list, tuple)) or not all(isinstance(line, str) for line in lines):
            raise ParamError("%s is no %s" % (shown(value), self.label))
        if not any(line.strip() for line in lines):
            raise ParamError("it holds no command")
        if len(lines) > MAX_SCRIPT or sum(map(len, lines)) > 65536:
            raise ParamError("it has more than %d lines or 65536 characters; put it into a program" % MAX_SCRIPT)
        for number, line in enumerate(lines):
            if not line.replace("\t", " ").isprintable():
                raise ParamError("line %d, %s, holds a control character" % (number + 1, shown(line)))
            if line.strip().startswith("endscript"):
                raise ParamError("line %d, %s, would end the script" % (number + 1, shown(line)))
        return [str(line) for line in lines]


class Verdict(Record):
    """What a debug run of logrotate said.

    errors, warnings: its lines of that rank, without the word; read: configuration files it read; considered: each log
    with `rotate`, `missing`, `error`, or the reason why it is not due.
    """

    errors: Sequence[str]
    warnings: Sequence[str]
    read: Sequence[str]
    considered: Mapping[str, str]


def verdict(said: str, names: Mapping[str, str]) -> Verdict:
    """Read the output of `logrotate --debug`. names: what stands for the paths of files that exist in memory only."""
    for path, name in sorted(names.items(), key=lambda item: -len(item[0])):  # .../fd/12 before .../fd/1
        said = said.replace(path, name)
    errors: list[str] = []
    warnings: list[str] = []
    read: list[str] = []
    considered: dict[str, str] = {}
    log = ""
    for line in said.split("\n"):
        if line.startswith("error: "):
            errors.append(line[7:].strip())
            if log and considered.get(log) == "":
                considered[log] = "error"
        elif line.startswith("warning: "):
            if "debug mode does nothing" not in line:
                warnings.append(line[9:].strip())
        elif line.startswith("reading config file "):
            read.append(line[20:])
        elif line.startswith("considering log "):
            log = line[16:]
            considered[log] = ""
        elif line.startswith("  log needs rotating"):
            considered[log] = "rotate"
        elif line.startswith("  log does not need rotating"):
            considered[log] = line[28:].strip().strip("()") or "not due"
        elif log and line == "  log %s does not exist -- skipping" % log:
            considered[log] = "missing"
    considered.pop("", None)
    return Verdict(errors=errors, warnings=warnings, read=read, considered=considered)


def quote(path: str) -> str:
    """Return a path as it stands in a configuration."""
    return path if all(c in _PLAIN for c in path) else '"%s"' % path


def size_word(size: int) -> str:
    """Return a size in the greatest of logrotate's units that divides it."""
    for sign, unit in (("G", 1 << 30), ("M", 1 << 20), ("k", 1 << 10)):
        if size and size % unit == 0:
            return "%d%s" % (size // unit, sign)
    return str(size)


def render(paths: Sequence[str], directives: Sequence[str], postrotate: Sequence[str] | None) -> str:
    """Return a whole configuration file. Script lines are not indented: that would break here-documents."""
    lines = [quote(path) for path in paths] + ["{"] + ["    " + line for line in directives]
    if postrotate:
        lines += ["    postrotate", *postrotate, "    endscript"]
    return MANAGED + "\n".join([*lines, "}"]) + "\n"


def includes(line: str) -> str:
    """Return what a line includes, or an empty string."""
    text = line.strip()
    if not text.startswith("include") or text[7:8] not in (" ", "\t", "="):
        return ""
    return text[7:].lstrip(" \t=").rstrip("/") or "/"


def with_files(main: str, folder: str, files: Sequence[str]) -> str:
    """Return the main configuration with the include of a folder replaced by one of each file; "" for a blank line.

    Returns an empty string when the folder is not included there.
    """
    lines = []
    found = False
    for line in main.split("\n"):
        if includes(line) == folder and not found:
            found = True
            lines += ["include " + path if path else "" for path in files]
        else:
            lines.append(line)
    return "\n".join(lines) if found else ""


def directives_only(main: str) -> str:
    """Return the main configuration's global directives: without its sections and what it includes."""
    kept = []
    place = ""
    for line in main.split("\n"):
        text = line.strip()
        word = text.split(None, 1)[0] if text else ""
        if place.endswith("script"):
            if not place.startswith("section"):
                kept.append(line)
            if text.startswith("endscript"):
                place = place[: -len(" script")]
        elif place == "section":
            if word in _SCRIPTS:
                place = "section script"
            elif text.startswith("}"):
                place = ""
        elif place == "paths" or text[:1] in ("/", '"', "'", "~"):
            _before, brace, inside = text.partition("{")
            place = "paths" if not brace else "" if "}" in inside else "section"
        elif word in _SCRIPTS:
            place = " script"
            kept.append(line)
        elif text and not text.startswith("#") and not includes(line):
            kept.append(line)
    return "".join(line + "\n" for line in kept)
