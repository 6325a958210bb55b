"""What the ssh engine leaves to Ansible: everything whose meaning hangs on a result that is not there yet."""

# ruff: noqa: SLF001 - ansible-core has no public way to what is needed here

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Self

from opslib.engines import ansible_core as core

__all__ = [
    "CARRIES",
    "TRIVIAL",
    "NeedsAnsibleError",
    "Watch",
    "builtin_name",
    "is_ours",
    "of_task",
    "task_name",
    "where",
]

OURS: Final = "opslib.runbook."
TRIVIAL: Final = frozenset({"assert", "debug", "fail", "validate_argument_spec"})
CARRIES: Final = frozenset({"add_host", "gather_facts", "group_by", "include_vars", "set_fact", "set_stats", "setup"})
FLOW: Final = frozenset({"include_role", "include_tasks", "meta"})
_META: Final = frozenset({"flush_handlers", "noop", "role_complete"})
_SECTIONS: Final = frozenset({"rescue", "always"})
# Lookups that run a program or write a file on the controller: to be left until their task is reached.
_ACTING: Final = frozenset({"lines", "password", "pipe"})
# What looks at this machine's files, or asks a service: to be left once steps may have changed the answer.
_LOOKING: Final = frozenset({"csvfile", "file", "fileglob", "first_found", "ini", "template", "unvault"})
_ASKING: Final = frozenset({"url"})
_LOOKUP: Final = re.compile(r"\b(?:lookup|query|q)\s*\(\s*['\"](?:ansible\.(?:builtin|legacy)\.)?(\w+)['\"]")
_FILE_TEST: Final = re.compile(
    r"(?:\bis\s+(?:not\s+)?|\b(?:select|reject)(?:attr)?\s*\([^)]*['\"])(?:ansible\.builtin\.)?"
    r"(exists|link_exists|(?:is_)?(?:directory|file|link|mount|same_file))\b"
    r"|\|\s*(?:ansible\.builtin\.)?(fileglob|realpath)\b"
)
_FACT: Final = re.compile(r"\b(?:ansible_\w*|facter_\w+|ohai_\w+)")
_ALIVE: Final = re.compile(
    r"\b(?:ansible_play_hosts|ansible_play_batch|play_hosts|ansible_current_hosts|ansible_failed_hosts)\b"
)
_NO_FACT: Final = re.compile(
    r"ansible_(?:host|port|user|password|connection(?:_user)?|timeout|executable|network_os|private_key_file|loop(?:_var)?"
    r"|index_var|search_path|check_mode|diff_mode|verbosity|forks|limit|run_tags|skip_tags|version|config_file"
    r"|playbook_python|python_interpreter|become(?:_\w+)?|sudo_\w+|shell_\w+|pipelining|remote_tmp|control_path"
    r"|ssh_(?!host_key_)\w+|sftp_\w+|scp_\w+|paramiko_\w+|role_name|role_names|parent_role_\w+|play_\w+|dependent_\w+"
    r"|collection_name|inventory_sources|current_hosts|failed_hosts|host_key_checking|module_compression"
    r"|docker_extra_args)"
)


_CONSTRUCTS: Final[tuple[tuple[str, Callable[[Any], bool]], ...]] = (
    ("registers a result (register)", lambda task: task.register is not None),
    ("repeats until its result is right (until)", lambda task: bool(task.until) or task.retries is not None),
    ("decides by its result whether it failed (failed_when)", lambda task: bool(task.failed_when)),
    ("decides by its result whether it changed something (changed_when)", lambda task: bool(task.changed_when)),
    ("runs on another host (delegate_to)", lambda task: task.delegate_to is not None),
    ("sets facts of another host (delegate_facts)", lambda task: bool(task.delegate_facts)),
    ("runs once for all hosts (run_once)", lambda task: bool(task.run_once)),
    ("limits how many hosts run it at once (throttle)", lambda task: bool(task.throttle)),
    ("runs in the background (async)", lambda task: bool(task.async_val)),
    ("sets environment variables (environment)", lambda task: any(task.environment or ())),
    ("goes on when its host is unreachable (ignore_unreachable)", lambda task: bool(task.ignore_unreachable)),
    ("starts a debugger (debugger)", lambda task: task.debugger not in (None, "never")),
    ("leaves its loop by a result (break_when)", lambda task: bool(task.loop_control.break_when)),
    ("pauses between items (loop_control.pause)", lambda task: bool(task.loop_control.pause)),
)


class NeedsAnsibleError(BaseException):
    """A play needs Ansible itself; the message says why.

    It is no Exception: it comes up in the midst of templating, where jinja would take an Exception for an error.
    """


@contextlib.contextmanager
def told_of(subject: str, place: str) -> Iterator[None]:
    """Let what needs Ansible be told of a task, a handler or a block, and of its place, unless it already is."""
    try:
        yield
    except NeedsAnsibleError as problem:
        text = str(problem)
        told = text.startswith(("task ", "handler ", "block "))
        raise NeedsAnsibleError(text if told else f"{subject} {text}{place}") from None


class _Read(NamedTuple):
    """What a template reads: a lookup that acts; what looks outside; facts; who is alive."""

    acting: str | None
    outside: str | None
    facts: tuple[str, ...]
    alive: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Look at a template."""
        lookups = _LOOKUP.findall(text)
        looks = [name for name in lookups if name in _LOOKING | _ASKING]
        looks += filter(None, itertools.chain.from_iterable(_FILE_TEST.findall(text)))
        return cls(
            acting=next((name for name in lookups if name in _ACTING), None),
            outside=min(looks, key=lambda name: name not in _ASKING, default=None),
            facts=tuple(dict.fromkeys(_FACT.findall(text))),
            alive=tuple(_ALIVE.findall(text)),
        )


class Watch:
    """Looks at every template that is worked out, for what the ssh engine does not know.

    facts: facts are gathered in this play or an earlier one, so that reading one must not find it undefined;
    losses: what may have lost hosts by now: nothing (""), an earlier `batch`, an earlier `task` or play; steps: says
    where steps come before what is worked out for a host: nowhere (""), on hosts `away`, or (also) `here`.
    """

    def __init__(self, *, facts: bool, losses: str = "", steps: Callable[[str], str] = lambda _host: "") -> None:
        self.facts = facts
        self.losses = losses
        self.steps = steps
        self._seen: dict[str, _Read] = {}

    def __call__(self, text: str, variables: Mapping[str, Any]) -> None:
        """Raise NeedsAnsibleError when a template reads what is not known yet, or would act on this machine."""
        if text not in self._seen:
            self._seen[text] = _Read.of(text)
        acting, outside, names, alive = self._seen[text]
        if acting is not None:
            raise NeedsAnsibleError(f"uses the lookup {acting}, which runs or writes something on this machine")
        if outside is not None and (steps := self.steps(str(variables.get("inventory_hostname")))):
            if outside in _ASKING:
                raise NeedsAnsibleError(f"uses the lookup {outside} after steps that may change its answer")
            if steps == "here":
                raise NeedsAnsibleError(f"looks at files of this machine ({outside}) after steps that may change them")
        for name in alive:
            if self.losses == "task" or (self.losses == "batch" and name == "ansible_play_hosts"):
                raise NeedsAnsibleError(f"reads {name}, which changes when a host fails")
        if self.facts and names:
            for name in names:
                if name == "ansible_facts" or (name not in variables and not _NO_FACT.fullmatch(name)):
                    raise NeedsAnsibleError(f"reads the fact {name}")


def builtin_name(action: Any) -> str | None:
    """Return the short name of an action of ansible-core, None for any other."""
    name = str(action).removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
    return None if "." in name or "{" in name else name


def is_ours(task: Any) -> bool:
    """Whether a task is one of the collection's."""
    return _resolved(task).startswith(OURS)


def _resolved(task: Any) -> str:
    return str(task._resolved_action or task.action)


def task_name(task: Any) -> str:
    """Return a task's name as written, for messages."""
    return str(task.get_name())


def where(path: str, line: int) -> str:
    """Return a place in a file, for the end of a message."""
    return f", {path}:{line}" if path else ""


def of_task(task: Any) -> str | None:
    """Say which construct of a task the ssh engine does not carry, None when there is none.

    Tells nothing of conditions and templates: `Watch` looks at those.
    """
    for words, has in _CONSTRUCTS:
        if has(task):
            return words
    if task.loop_with in _ACTING:
        return f"loops over what a program prints or a file is to hold (with_{task.loop_with})"
    return next(_action(task), None)


def _action(task: Any) -> Iterator[str]:
    if is_ours(task):
        return
    name = builtin_name(_resolved(task))
    if name == "meta":
        act = task.args.get("_raw_params")
        if act not in _META:
            yield f"steers the play (meta: {act})"
    elif name == "include_role" and task.public:
        yield "shares a role's variables with the tasks after it (public)"
    elif name not in TRIVIAL and name not in FLOW:
        yield f"runs {_resolved(task)}"


def of_block(block: Any) -> str | None:
    """Name the block and say which section of it the ssh engine does not carry, None when there is none."""
    if block.rescue:
        problem = "has a section that runs after a failure (rescue)"
    elif any(getattr(entry, "implicit", False) is not True for part in block.always for entry in _flat(part)):
        problem = "has a section that runs whatever happens (always)"
    else:
        return None
    return f"block {block.name or ''!r} {problem}{where(*core.origin(block.get_ds()))}"


def tasks_in(blocks: Iterable[Any]) -> Iterator[Any]:
    """Yield the tasks of blocks, in order. Raises NeedsAnsibleError for a block that the ssh engine does not carry."""
    for block in blocks:
        problem = of_block(block)
        if problem:
            raise NeedsAnsibleError(problem)
        for entry in (*block.block, *block.always):
            yield from tasks_in([entry]) if isinstance(entry, core.Block) else [entry]


def _flat(entry: Any) -> Iterator[Any]:
    if hasattr(entry, "block"):
        for part in (*entry.block, *entry.rescue, *entry.always):
            yield from _flat(part)
    else:
        yield entry


def includes_variables(task: Any) -> bool:
    """Whether a task reads variables from files when its turn comes."""
    return builtin_name(_resolved(task)) == "include_vars"


def carries_state(task: Any) -> bool:
    """Whether later plays may depend on what a task learns."""
    return task.register is not None or builtin_name(_resolved(task)) in CARRIES
