"""The environment that ansible-playbook gets: a short list of what it needs, and nothing else of the caller's."""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from opslib.carriers import controller
from opslib.engines import cloud_environment
from opslib.errors import UsageError

__all__ = ["DROPPED", "FIXED", "PASSED", "PREFIXES", "make", "offer_collection"]

PASSED = (
    "GNUPGHOME",
    "HOME",
    "KRB5CCNAME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "PATH",
    "PYTHONPATH",
    "SHELL",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "TZ",
    "USER",
    "VIRTUAL_ENV",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
)
PREFIXES = ("ANSIBLE_", "LC_")
# Would make it prompt, write its arguments down, or print in a way that ansible-runner does not understand.
DROPPED = (
    "ANSIBLE_FORCE_COLOR",
    "ANSIBLE_LOAD_CALLBACK_PLUGINS",
    "ANSIBLE_STDOUT_CALLBACK",
    "ANSIBLE_VERBOSITY",
)
# These also overrule ansible.cfg.
FIXED = {
    "ANSIBLE_ASK_PASS": "False",
    "ANSIBLE_ASK_VAULT_PASS": "False",
    "ANSIBLE_BECOME_ASK_PASS": "False",
    "ANSIBLE_DEBUG": "False",
    "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "False",
    "ANSIBLE_FORCE_COLOR": "False",
    "ANSIBLE_HOST_KEY_CHECKING": "True",
    "ANSIBLE_NOCOLOR": "True",
    "ANSIBLE_NOCOWS": "True",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "MAX_EVENT_RES": "4000000",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TERM": "dumb",
}


def make(folder: Path, *, own: Mapping[str, str] | None = None, names: Sequence[str] = ()) -> dict[str, str]:
    """Return the environment for a run whose private folder is given.

    own: the caller's environment, by default `os.environ`; names: further variables of it to pass on. Raises
    UsageError for a name that is none.
    """
    own = os.environ if own is None else own
    bad = next((name for name in names if not name or "=" in name or "\0" in name), None)
    if bad is not None:
        raise UsageError(f"{bad!r} is no name of an environment variable")
    wanted = {*PASSED, *names}
    made = {
        name: value
        for name, value in own.items()
        if (name in wanted or name.startswith(PREFIXES)) and name not in DROPPED and _printable(value)
    }
    made.update(FIXED)
    made[controller.OFFERED] = str(cloud_environment.socket_of(folder))
    made["ANSIBLE_LOCAL_TEMP"] = str(folder / "tmp")
    made["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), made.get("PATH") or os.defpath])
    if not _is_utf8(made):
        made["LC_ALL"] = "C.UTF-8"
    paths = [*offer_collection(folder), *filter(None, [made.get("PYTHONPATH")])]
    if paths:
        made["PYTHONPATH"] = os.pathsep.join(paths)
    return made


def offer_collection(folder: Path) -> list[str]:
    """Return what to put on Python's path so that Ansible finds this very opslib and its collection.

    Nothing when opslib is installed: then both are where Ansible looks anyway. In a checkout the collection is
    assembled from links.
    """
    package = Path(__file__).resolve().parent.parent
    source = package / "collection"
    if not source.is_dir():
        return []
    target = folder / "lib" / "ansible_collections" / "opslib" / "runbook"
    target.mkdir(parents=True)
    parts = {entry.name: entry for entry in source.iterdir() if not entry.name.startswith((".", "_"))}
    parts.update({name: package.parent / name for name in ("roles", "playbooks")})
    for name, part in parts.items():
        if part.exists():
            (target / name).symlink_to(part)
    return [str(folder / "lib"), str(package.parent)]


def _printable(value: str) -> bool:
    """Whether a value can be passed through pexpect, which wants UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_utf8(environ: Mapping[str, str]) -> bool:
    named = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    encoding = named.partition(".")[2].partition("@")[0]
    return locale.normalize(f"en_US.{encoding}").endswith("UTF-8") if encoding else False
