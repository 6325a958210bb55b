"""The environment that ansible-playbook gets: the caller's, but for what would change how it talks to us.

It is handed over on a socket, because ansible-runner writes the environment that it is given into a file.
"""

from __future__ import annotations

import contextlib
import json
import locale
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from opslib.carriers import told
from opslib.engines import guard
from opslib.engines.private_socket import served

__all__ = ["DROPPED", "FIXED", "make", "offer_collection", "offered"]

# Would make it prompt, write its arguments down, change what ansible-runner is told, or lose its exit code.
DROPPED = frozenset(
    [
        "AD_HOC_COMMAND_ID",
        "ANSIBLE_FORCE_COLOR",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS",
        "ANSIBLE_STDOUT_CALLBACK",
        "ANSIBLE_VERBOSITY",
        "JOB_ID",
        "ORIGINAL_STDOUT_CALLBACK",
        "PROJECT_UPDATE_ID",
        "PYTHONINSPECT",
        "RUNNER_OMIT_EVENTS",
        "RUNNER_ONLY_FAILED_EVENTS",
    ]
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
    "SSH_ASKPASS_REQUIRE": "never",
    "TERM": "dumb",
}


def make(folder: Path, *, own: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a run whose private folder is given.

    own: the caller's environment, by default `os.environ`.
    """
    own = os.environ if own is None else own
    made = {name: value for name, value in own.items() if name not in DROPPED}
    made.update(FIXED)
    made[told.FOLDER] = str(folder)
    made["ANSIBLE_LOCAL_TEMP"] = str(folder / "tmp")
    made["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), made.get("PATH") or os.defpath])
    if not _is_utf8(made):
        made["LC_ALL"] = "C.UTF-8"
    paths = [*offer_collection(folder), *filter(None, [made.get("PYTHONPATH")])]
    if paths:
        made["PYTHONPATH"] = os.pathsep.join(paths)
    return made


@contextlib.contextmanager
def offered(folder: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Let `guard` ask for an environment, in a run's private folder; only who may enter that can."""
    data = json.dumps(dict(environ)).encode()
    with served(folder / guard.ENVIRONMENT, lambda asking: asking.sendall(data)):
        yield


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


def _is_utf8(environ: Mapping[str, str]) -> bool:
    named = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    encoding = named.partition(".")[2].partition("@")[0]
    return locale.normalize(f"en_US.{encoding}").endswith("UTF-8") if encoding else False
