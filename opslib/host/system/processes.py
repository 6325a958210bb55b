"""The processes of the host, and how to name one without giving away its arguments."""

from __future__ import annotations

import os

from opslib.host.words import printable

from . import apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Sequence

LONGEST = 120
_PATIENCE = 2
_PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/+:@-[]()~"
# Interpreter -> letters before code, before what is to be run, before a value to skip; words before a value.
_NODE = "--require --import --loader --experimental-loader --conditions --title --env-file"
_JAVA = "-cp -classpath --class-path -p --module-path --upgrade-module-path --add-modules --add-opens --add-exports"
_INTERPRETERS = {
    "python": ("c", "m", "WX", ""),
    "pypy": ("c", "m", "WX", ""),
    "perl": ("eE", "", "", ""),
    "ruby": ("e", "", "IrC", ""),
    "php": ("rBRE", "fF", "cdz", ""),
    "bash": ("c", "", "oO", "--rcfile --init-file"),
    "dash": ("c", "", "o", ""),
    "sh": ("c", "", "o", ""),
    "zsh": ("c", "", "o", ""),
    "node": ("ep", "", "rC", _NODE),
    "java": ("", "", "", _JAVA),
}
_JAVA_RUN = ("-jar", "-m", "--module")
_ENDINGS = (".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php", ".sh", ".jar")


def pids() -> list[int]:
    """Return the numbers of all processes that this user can see."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read(pid: int, name: str, limit: int = 1 << 16) -> bytes:
    """Return a file below /proc/PID, at most so many bytes of it, or nothing when it is gone or not ours to read.

    The kernel gives many of them a page at a time, however much is asked for.
    """
    try:
        file = os.open("/proc/%d/%s" % (pid, name), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    data = b""
    try:
        while len(data) < limit:
            piece = os.read(file, min(limit - len(data), 1 << 16))
            if not piece:
                break
            data += piece
    except OSError:
        data = b""
    finally:
        os.close(file)
    return data


def variables(environ: bytes) -> dict[bytes, bytes] | None:
    """Return the variables in the /proc/PID/environ of a unit's process, None when it wrote something else over them.

    Programs that give themselves a title (setproctitle, `$0` of Perl) write it there. systemd sets PATH and
    INVOCATION_ID for whatever it starts, so a block that lacks one of them is not what the process began with.
    Sources: proc_pid_environ(5), systemd.exec(5).
    """
    found = dict(part.split(b"=", 1) for part in environ.split(b"\0") if b"=" in part)
    return found if {b"PATH", b"INVOCATION_ID"} <= set(found) else None


def arguments(cmdline: bytes) -> list[str]:
    """Return the arguments in a /proc/PID/cmdline."""
    text = cmdline.decode("utf-8", "surrogateescape").rstrip("\0")
    return text.split("\0") if text else []


def commands(numbers: Sequence[int]) -> dict[int, str]:
    """Return what processes run, by number, as `command` words it.

    The arguments are read by a process of its own: reading those of a stuck process can hang. Then the kernel's name
    for it has to do.
    """
    if not numbers:
        return {}
    found = apart.ask(_arguments, [list(numbers)], _PATIENCE)[0]
    if found is None:
        found = [argvs[0] if argvs else [] for argvs in apart.ask(_arguments, [[pid] for pid in numbers], _PATIENCE)]
    names = [read(pid, "comm", 64).decode("utf-8", "replace").strip() for pid in numbers]
    return {pid: command(argv, name) for pid, argv, name in zip(numbers, found, names)}


def _arguments(numbers: Sequence[int]) -> list[list[str]]:
    return [arguments(read(pid, "cmdline", 4096)) for pid in numbers]


def command(argv: Sequence[str], name: str) -> str:
    """Return what a process runs, in a few words that hold no secret.

    That is the name of the program and, of an interpreter, the script, module or class that it runs. Other arguments
    are never shown, nor code after `-c` or `-e`. Of a title that the program gave itself ("nginx: worker process")
    it is the beginning. argv: its arguments; name: what the kernel calls it, used when there are no arguments.
    """
    if not argv or not argv[0].strip():
        words = name
    elif " " in argv[0].strip():
        words = _title(argv[0].split())
    else:
        program = argv[0].rsplit("/", 1)[-1].lstrip("-") or name
        words = " ".join([program, *_script(program, argv[1:])])
    words = printable(words)
    return words if len(words) <= LONGEST else words[: LONGEST - 3] + "..."


def _title(words: list[str]) -> str:
    shown = [words[0].rsplit("/", 1)[-1]]
    if words[0].endswith(":"):
        for word in words[1:3]:
            if not _plain(word):
                break
            shown.append(word)
    return " ".join(shown)


def _script(program: str, args: Sequence[str]) -> Iterator[str]:
    kind = program.rstrip("0123456789.")
    if kind not in _INTERPRETERS:
        return
    code, run, valued, words = _INTERPRETERS[kind]
    letters = "" if kind == "java" else code + run + valued
    sure = True
    rest = iter(args)
    for arg in rest:
        if not arg.startswith("-") or arg == "-":
            if _plain(arg) and (sure or arg.endswith(_ENDINGS)):
                yield arg
            return
        found = "" if arg.startswith("--") else next((c for c in arg[1:] if c in letters), "")
        if (found and found in code) or arg in ("--eval", "--print"):
            return
        if (found and found in run) or (kind == "java" and arg in _JAVA_RUN):
            value = (arg.partition(found)[2] if found else "") or next(rest, "")
            if _plain(value):
                yield "-" + found if found else arg
                yield value
            return
        if arg in words.split() or (found and arg.endswith(found)):
            next(rest, "")
        elif arg.startswith("--") and "=" not in arg:
            sure = False  # what follows may be its value


def _plain(word: str) -> bool:
    """Whether a word looks like a file, module or class, and not like an option, an assignment or a URL."""
    return bool(word) and word[0] != "-" and "://" not in word and all(c in _PLAIN for c in word)


def users(numbers: Sequence[int]) -> dict[int, str]:
    """Return the names of users by number, from /etc/passwd; a number stands for itself where that has no name.

    Other sources of names (LDAP) are asked in a process of its own, for two seconds at most.
    """
    names: dict[int, str] = {}
    try:
        with open("/etc/passwd", "rb") as file:
            for line in file.read(1 << 20).decode("utf-8", "replace").splitlines():
                fields = line.split(":")
                if len(fields) > 2 and fields[2].isdigit():
                    names.setdefault(int(fields[2]), printable(fields[0]))
    except OSError:
        pass
    unknown = sorted({number for number in numbers if number not in names})
    if unknown:
        names.update(zip(unknown, apart.ask(_user, unknown[:20], _PATIENCE)))
    return {number: names.get(number) or str(number) for number in numbers}


def _user(number: int) -> str:
    import pwd

    return printable(pwd.getpwuid(number).pw_name)
