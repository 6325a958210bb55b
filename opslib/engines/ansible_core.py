"""ansible-core, inside this process: the only module of the controller that imports `ansible`.

ansible-core is written for command lines that do one thing and end. Four of its habits matter to a library, and are
dealt with here, most of them in `active`:

- it keeps its options, vault passwords and default collection in globals: they are set for the time of a call, under
  a lock, and put back;
- it prints: what it would print becomes a list of warnings;
- it makes a folder below `~/.ansible` when it is imported: it gets the system's folder for temporary files instead;
- it compiles a template anew for each use: `Engine` keeps what it has compiled.

`ansible.cfg` is honoured as ansible-core does it: found when this module is imported (ANSIBLE_CONFIG, the working
directory, the home, /etc/ansible), for the paths of collections, roles and plugins and for its defaults.
"""

# ruff: noqa: SLF001 - much of ansible-core is private, and its paths are texts

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opslib.errors import InventoryError, MissingError, UsageError


@contextlib.contextmanager
def _quiet_import() -> Iterator[None]:
    """Keep ansible-core from writing to the terminal and into the home while it is imported."""
    fresh = "ANSIBLE_LOCAL_TEMP" not in os.environ
    if fresh:
        os.environ["ANSIBLE_LOCAL_TEMP"] = tempfile.gettempdir()
    aside = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(aside), contextlib.redirect_stderr(aside):
            yield
    finally:
        if fresh:
            del os.environ["ANSIBLE_LOCAL_TEMP"]


if sys.getfilesystemencoding().lower() != "utf-8":
    raise MissingError(
        f"ansible-core needs a locale in UTF-8, this one is in {sys.getfilesystemencoding()}; set LC_ALL=C.UTF-8"
    )
try:
    with _quiet_import():
        from ansible import constants as C  # noqa: N812 - so ansible-core calls it everywhere
        from ansible import context
        from ansible._internal._datatag import _utils
        from ansible._internal._datatag._tags import Origin, SourceWasEncrypted, TrustedAsTemplate, VaultedValue
        from ansible._internal._task import TaskArgsFinalizer, TaskContext
        from ansible._internal._templating._engine import TemplateEngine, TemplateOptions
        from ansible._internal._templating._jinja_plugins import _DirectCall, _invoke_lookup
        from ansible.errors import (
            AnsibleError,
            AnsibleFileNotFound,
            AnsibleParserError,
            AnsibleUndefinedVariable,
            AnsibleValueOmittedError,
        )
        from ansible.executor.module_common import _get_action_arg_defaults
        from ansible.executor.task_result import _RawTaskResult
        from ansible.inventory.manager import InventoryManager
        from ansible.module_utils._internal._datatag import AnsibleTagHelper
        from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
        from ansible.module_utils.common.sentinel import Sentinel
        from ansible.module_utils.datatag import native_type_name
        from ansible.parsing.dataloader import DataLoader
        from ansible.parsing.splitter import parse_kv
        from ansible.parsing.vault import EncryptedString, VaultSecret, VaultSecretsContext, get_file_vault_secret
        from ansible.playbook import Playbook
        from ansible.playbook.block import Block
        from ansible.playbook.helpers import load_list_of_blocks
        from ansible.playbook.included_file import IncludedFile
        from ansible.playbook.play_context import PlayContext
        from ansible.plugins.loader import add_all_plugin_dirs, init_plugin_loader
        from ansible.release import __version__ as ansible_version
        from ansible.utils.collection_loader import AnsibleCollectionConfig
        from ansible.utils.collection_loader._collection_finder import (
            _get_collection_name_from_path,
            _get_collection_playbook_path,
            _get_collection_role_path,
        )
        from ansible.utils.context_objects import CLIArgs
        from ansible.utils.display import Display
        from ansible.utils.helpers import pct_to_int
        from ansible.utils.vars import combine_vars
        from ansible.vars.hostvars import HostVars
        from ansible.vars.manager import VariableManager

        if AnsibleCollectionConfig.collection_finder is None:
            init_plugin_loader()
except ImportError as error:
    raise MissingError(
        f"ansible-core is needed ({error}); install it: pip install 'ansible-core>=2.19.14,<2.20'"
    ) from error

__all__ = [
    "AnsibleCollectionConfig",
    "AnsibleError",
    "AnsibleParserError",
    "AnsibleUndefinedVariable",
    "AnsibleValueOmittedError",
    "Block",
    "C",
    "Display",
    "EncryptedString",
    "Engine",
    "Loader",
    "Playbook",
    "Sources",
    "TaskContext",
    "Variables",
    "VaultSecret",
    "VaultSecretsContext",
    "absolute",
    "active",
    "argument_errors",
    "attribute",
    "combine_vars",
    "configured",
    "connection_defaults",
    "connection_facts",
    "context",
    "display_name",
    "encrypted",
    "enter_folder",
    "find_playbook",
    "find_role",
    "fixed_attribute",
    "in_words",
    "included",
    "included_blocks",
    "is_template",
    "loop_items",
    "origin",
    "parse_extra_vars",
    "pct_to_int",
    "plain",
    "reading",
    "task_args",
    "trusted",
    "vault_secrets",
]

_LOCK = threading.RLock()
SHORTEST_NUMBER = 6


class _Sink:
    """Takes what ansible-core would print."""

    def __init__(self, warnings: dict[str, None]) -> None:
        self.warnings = warnings

    def send_display(self, method: str, *args: Any, **_options: Any) -> None:
        """Keep a warning or an error; drop banners, debugging and deprecations."""
        if method in ("_warning", "_error") and args:
            self.warnings[_of_event(args[0].event)] = None


def _of_event(event: Any) -> str:
    """Return one message of ansible-core, with the messages that explain it."""
    parts: list[str] = []
    where = ""
    while event is not None:
        text = " ".join(str(event.msg).split())
        if len(parts) < 3 and not any(text in part for part in parts):
            parts.append(text)
        found = re.match(r"Origin: (/[^\n]+)", event.formatted_source_context or "")
        where = found[1] if found else where
        event = event.chain.event if event.chain is not None else None
    return ": ".join(part.rstrip(".:") for part in parts) + (f" ({where})" if where else "")


@contextlib.contextmanager
def active(
    warnings: dict[str, None],
    *,
    vault: Sequence[tuple[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
    folder: str | None = None,
) -> Iterator[None]:
    """Set ansible-core's globals for a while.

    warnings: takes what it would print; vault: passwords by label; options: those of ansible-playbook that differ
    from their defaults; folder: where a playbook stands, for the collections beside it.
    """
    display = Display()
    with _LOCK:
        before = (
            context.CLIARGS,
            VaultSecretsContext._current,
            display._final_q,
            AnsibleCollectionConfig.default_collection,
            [os.path.dirname(path) for path in AnsibleCollectionConfig.playbook_paths],
        )
        context.CLIARGS = CLIArgs({**_default_options(), **(options or {})})
        VaultSecretsContext._current = VaultSecretsContext(list(vault))
        display._final_q = _Sink(warnings)
        try:
            if folder is not None:
                AnsibleCollectionConfig.default_collection = None
                AnsibleCollectionConfig.playbook_paths = [os.fsencode(folder)]
            yield
        finally:
            context.CLIARGS, VaultSecretsContext._current, display._final_q = before[:3]
            AnsibleCollectionConfig.default_collection = before[3]
            if folder is not None:
                AnsibleCollectionConfig.playbook_paths = before[4]


def _default_options() -> dict[str, Any]:
    """Return the options that ansible-playbook has when none is given."""
    return {
        "become": C.DEFAULT_BECOME,
        "become_method": C.DEFAULT_BECOME_METHOD,
        "become_user": None,
        "check": False,
        "connection": C.DEFAULT_TRANSPORT,
        "diff": C.DIFF_ALWAYS,
        "force_handlers": C.DEFAULT_FORCE_HANDLERS,
        "forks": C.DEFAULT_FORKS,
        "private_key_file": C.DEFAULT_PRIVATE_KEY_FILE,
        "remote_user": C.DEFAULT_REMOTE_USER,
        "skip_tags": (),
        "tags": ("all",),
        "timeout": None,
        "verbosity": 0,
    }


def configured(name: str) -> Any:
    """Return a setting of `ansible.cfg` or the environment, None when it has its default."""
    value, where = C.config.get_config_value_and_origin(name)
    return None if where == "default" else value


@contextlib.contextmanager
def reading(kind: type[UsageError], doing: str) -> Iterator[None]:
    """Turn ansible-core's errors into ours."""
    try:
        yield
    except UsageError:
        raise
    except AnsibleError as error:
        raise kind(f"{doing}: {in_words(error)}") from error
    except RecursionError as error:
        raise kind(f"{doing}: it refers to itself without end") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError, re.error) as error:
        raise kind(f"{doing}: {type(error).__name__}: {error}") from error


def in_words(error: BaseException, *, place: bool = True) -> str:
    """Return an error of ansible-core on one line, with the file and line that it is about."""
    missing = _cause(error, AnsibleFileNotFound)
    if missing is not None and getattr(missing, "file_name", None):
        text = f"there is no file {missing.file_name}"
    else:
        text = " ".join(str(error).split())
    text = re.sub(r"<class '[\w.]*?_?AnsibleTagged(\w+)'>", lambda found: found[1].lower(), text)
    if "vault secrets" in text:
        text = f"{text.rstrip('.')}: give the file that holds the vault password"
    where = _place_of(error) if place else ""
    return f"{text} ({where})" if where and where not in text else text


def _cause(error: BaseException | None, kind: type[BaseException]) -> Any:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__
    return error


def _place_of(error: BaseException | None) -> str:
    found = ""
    while error is not None:
        path, line = origin(getattr(error, "obj", None))
        if path and (line or not found):
            found = f"{path}:{line}" if line else path
        elif shown := re.match(r"Origin: (/[^\n]+)", getattr(error, "_formatted_source_context", None) or ""):
            found = found or shown[1]
        error = error.__cause__ or error.__context__
    return found


def origin(value: Any) -> tuple[str, int]:
    """Return the file and line that a value was read from, ("", 0) when nobody knows."""
    tag = Origin.get_tag(value) if value is not None else None
    if tag is None or not tag.path:
        return "", 0
    return str(tag.path), int(tag.line_num or 0)


def trusted(text: str, where: str) -> Any:
    """Return text that may hold templates."""
    return Origin(description=where).tag(TrustedAsTemplate().tag(text))


def plain(value: Any, secrets: set[str] | None = None) -> Any:
    """Rebuild a value from plain types; texts that came out of a vault are added to `secrets`."""
    if isinstance(value, EncryptedString):
        value = value._decrypt()
    if isinstance(value, str):
        text = str(AnsibleTagHelper.as_native_type(value))
        if secrets is not None and text and VaultedValue.is_tagged_on(value):
            secrets.add(text)
        return text
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {plain(key, secrets): plain(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, secrets) for item in value]
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def encrypted(value: Any, known: dict[str, str | None]) -> Iterator[str]:
    """Yield the plain texts of all encrypted values within a value; `known` keeps them by their ciphertext."""
    if isinstance(value, EncryptedString):
        cipher = value._ciphertext
        if cipher not in known:
            try:
                known[cipher] = str(AnsibleTagHelper.as_native_type(value._decrypt()))
            except AnsibleError:  # no password for this one: whoever uses it will be told
                known[cipher] = None
        if text := known[cipher]:
            yield text
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from encrypted(item, known)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from encrypted(item, known)


def is_template(value: Any) -> bool:
    """Whether a value may come out differently for another host."""
    if isinstance(value, EncryptedString):
        return True
    if isinstance(value, str):
        return "{{" in value or "{%" in value or "{#" in value
    if isinstance(value, Mapping):
        return any(is_template(item) for pair in value.items() for item in pair)
    return isinstance(value, list | tuple) and any(is_template(item) for item in value)


class Loader(DataLoader):  # type: ignore[misc] # ansible-core has no types
    """Reads files; remembers what was in the encrypted ones: every text, every number that is not just a port."""

    def __init__(self, vault: Sequence[tuple[str, Any]]) -> None:
        super().__init__()
        self.secrets: set[str] = set()
        self._parsing = 0
        self.set_vault_secrets(list(vault))

    def load_from_file(self, *args: Any, **options: Any) -> Any:
        """Return the data that a file in YAML or JSON holds."""
        self._parsing += 1
        try:
            data = super().load_from_file(*args, **options)
        finally:
            self._parsing -= 1
        if SourceWasEncrypted.is_tagged_on(data):
            self.secrets.update(_leaves(data))
        return data

    def get_text_file_contents(self, *args: Any, **options: Any) -> Any:
        """Return the text that a file holds."""
        text = super().get_text_file_contents(*args, **options)
        if SourceWasEncrypted.is_tagged_on(text) and not self._parsing:
            lines = [line.strip() for line in str(text).splitlines()]
            self.secrets.update(line for line in lines if line and not line.startswith(("#", ";", "[")))
            self.secrets.update(found for line in lines for found in re.findall(r"=\s*[\"']?([^\s\"']+)", line))
        return text


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        text = str(plain(value))
        if text and not is_template(text) and (isinstance(value, str) or len(text) >= SHORTEST_NUMBER):
            yield text


class Sources(InventoryManager):  # type: ignore[misc]
    """Parses inventory sources; remembers those that no plugin could read."""

    def __init__(self, loader: Loader, sources: Sequence[str]) -> None:
        self.unread: list[str] = []
        super().__init__(loader=loader, sources=list(sources), parse=True, cache=True)

    def parse_source(self, source: str, cache: bool = False) -> bool:
        """Parse one source, or all files of a folder."""
        done = bool(super().parse_source(source, cache=cache))
        if not done:
            self.unread.append(source)
        elif source in self.unread:
            self.unread.remove(source)
        return done


class Variables(VariableManager):  # type: ignore[misc]
    """Ansible's variables, with extra variables of our own choosing; a host's own are worked out once."""

    def __init__(
        self, loader: Loader, sources: Sources, extra_vars: Mapping[str, Any], options: Mapping[str, Any]
    ) -> None:
        super().__init__(loader=loader, inventory=sources)
        self._extra_vars = dict(extra_vars)
        self._options_vars = {"ansible_version": _version_facts(), **options}
        self._own: dict[str, dict[str, Any]] = {}
        HostVars(inventory=sources, variable_manager=self, loader=loader)

    def get_vars(self, *args: Any, **options: Any) -> Any:
        """Return variables in Ansible's order of precedence."""
        if args or set(options) != {"host", "include_hostvars"} or options["include_hostvars"]:
            return super().get_vars(*args, **options)
        host = options["host"]
        if host.name not in self._own:
            self._own[host.name] = super().get_vars(host=host, include_hostvars=False)
        return self._own[host.name].copy()


def _version_facts() -> dict[str, Any]:
    major, minor, revision = (int(found) for found in re.findall(r"\d+", ansible_version)[:3])
    return {
        "full": ansible_version,
        "string": ansible_version,
        "major": major,
        "minor": minor,
        "revision": revision,
    }


class Engine(TemplateEngine):  # type: ignore[misc]
    """A template engine that compiles each template once, and shows every template it meets to `watch`.

    watch: gets the text of a template or expression and the variables; what it raises ends the templating, when it
    is no Exception.
    """

    def __init__(
        self,
        loader: Any = None,
        variables: Any = None,
        variables_factory: Any = None,
        marker_behavior: Any = None,
        watch: Callable[[str, Mapping[str, Any]], None] | None = None,
    ) -> None:
        super().__init__(
            loader=loader, variables=variables, variables_factory=variables_factory, marker_behavior=marker_behavior
        )
        self.watch = watch
        self.compiled: dict[tuple[Any, ...], Any] = {}

    def extend(self, marker_behavior: Any = None) -> Engine:
        """Return an engine like this one with another way of treating what is undefined."""
        wider: Engine = super().extend(marker_behavior)
        wider.watch = self.watch
        return wider

    def _compile_template(self, template: Any, options: Any) -> Any:
        return self._once("template", template, options, super()._compile_template)

    def _compile_expression(self, expression: Any, options: Any) -> Any:
        return self._once("expression", expression, options, super()._compile_expression)

    def _once(self, kind: str, text: Any, options: Any, make: Callable[[Any, Any], Any]) -> Any:
        if self.watch is not None:
            self.watch(text, self.available_variables)
        if options is not TemplateOptions.DEFAULT and isinstance(options.value_for_omit, dict):
            return make(text, options)
        key = (kind, text, options)
        if key not in self.compiled:
            self.compiled[key] = make(text, options)
        return self.compiled[key]


def parse_extra_vars(loader: Loader, given: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """Return extra variables given as a mapping, or as `-e` takes them: `k=v ...`, `@file`, YAML or JSON.

    The rules are those of `ansible.utils.vars.load_extra_vars`, which keeps the first answer for ever.
    """
    found: dict[str, Any] = {}
    for part in [given] if isinstance(given, Mapping) else given:
        if isinstance(part, Mapping):
            data = _tagged(dict(part))
        elif not isinstance(part, str) or not part.strip() or "\0" in part:
            raise UsageError(f"extra variables: {ascii(part)[:80]} is neither a mapping nor text as K=V or @FILE")
        elif part.startswith("@"):
            data = loader.load_from_file(os.path.abspath(part[1:]), trusted_as_template=True)
        elif part[0] in "/.":
            raise UsageError(f"extra variables: put @ before the name of a file: @{part}")
        elif part[0] in "[{":
            data = loader.load(trusted(part, "extra variables"))
        else:
            data = parse_kv(trusted(part, "extra variables"))
            if "_raw_params" in data:
                raise UsageError(f"extra variables: {ascii(part)[:80]} is not of the form K=V")
        if not isinstance(data, Mapping):
            raise UsageError(f"extra variables: {ascii(part)[:80]} holds no mapping of names to values")
        for name in data:
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise UsageError(f"extra variables: {ascii(name)[:80]} is no name of a variable")
        found = combine_vars(found, data)
    return found


def _tagged(value: Any) -> Any:
    if isinstance(value, str):
        return trusted(value, "extra variables")
    if isinstance(value, Mapping):
        return {str(key): _tagged(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, os.PathLike):
        return trusted(os.fspath(value), "extra variables")
    raise UsageError(f"extra variables: {ascii(value)[:80]} is no text, number, list or mapping")


def vault_secrets(
    files: Sequence[str], password: str | Callable[[], str] | None, loader: Loader
) -> list[tuple[str, VaultSecret]]:
    """Return vault passwords by label, from files or programs (`label@path` or a path) and from the caller."""
    found: list[tuple[str, VaultSecret]] = []
    usual = [str(C.DEFAULT_VAULT_PASSWORD_FILE)] if C.DEFAULT_VAULT_PASSWORD_FILE else []
    for slug in [*(C.DEFAULT_VAULT_IDENTITY_LIST or []), *files, *usual]:
        label, at, path = str(slug).partition("@")
        label, path = (label, path) if at and not os.path.exists(str(slug)) else ("", str(slug))
        if path in ("prompt", "prompt_ask_vault_pass"):
            raise UsageError(f"the vault identity {slug!r} asks at a terminal; name a file that holds the password")
        path = os.path.abspath(os.path.expanduser(path))
        with reading(InventoryError, f"vault password file {ascii(path)[:200]}"):
            secret = get_file_vault_secret(filename=path, vault_id=label or None, loader=loader)
            secret.load()
        found.append((label or C.DEFAULT_VAULT_IDENTITY, secret))
        loader.set_vault_secrets(found)
    text = password() if callable(password) else password
    if text is not None:
        if not isinstance(text, str) or not text.strip():
            raise InventoryError("the vault password is empty")
        found.append((C.DEFAULT_VAULT_IDENTITY, VaultSecret(text.strip().encode())))
    loader.set_vault_secrets(found)
    return found


def find_playbook(name: str) -> str | None:
    """Return the file of a playbook named `namespace.collection.playbook`, None when there is none."""
    found = _get_collection_playbook_path(name)
    return None if found is None else os.fsdecode(found[1])


def find_role(name: str) -> str | None:
    """Return the folder of a role named `namespace.collection.role`, None when there is none."""
    found = _get_collection_role_path(name)
    return None if found is None else os.fsdecode(found[1])


def _collection_of(path: str) -> str | None:
    """Return the collection that a file belongs to."""
    found: str | None = _get_collection_name_from_path(path)
    return found


def enter_folder(path: str) -> None:
    """Let a playbook's folder, or the collection it belongs to, add its plugins and names, as ansible-playbook does."""
    collection = _collection_of(path)
    AnsibleCollectionConfig.default_collection = collection
    if collection is None:
        add_all_plugin_dirs(os.path.dirname(path))


def loop_items(task: Any, engine: Engine) -> list[Any] | None:
    """Return the items that a task loops over, None for a task without a loop.

    As `TaskExecutor._get_loop_items` does it, which needs a whole worker around it.
    """
    if task.loop_with:
        terms = task.loop
        if isinstance(terms, str):
            terms = engine.resolve_to_container(_utils.str_problematic_strip(terms))
        if not isinstance(terms, list):
            terms = [terms]

        def invoke_lookup() -> Any:
            return _invoke_lookup(
                plugin_name=task.loop_with,
                lookup_terms=terms,
                lookup_kwargs={"wantlist": True},
                invoked_as_with=True,
            )

        _DirectCall.mark(invoke_lookup)
        items = engine.evaluate_expression(
            TrustedAsTemplate().tag("invoke_lookup()"), local_variables={"invoke_lookup": invoke_lookup}
        )
    elif task.loop is not None:
        items = engine.template(task.loop)
    else:
        return None
    if not isinstance(items, list):
        raise AnsibleError(
            f"The `loop` value must resolve to a 'list', not {native_type_name(items)!r}.", obj=task.loop
        )
    return items


def attribute(task: Any, name: str, engine: Engine) -> Any:
    """Return a keyword of a task, templated and of the right type, as `Task.post_validate` would set it."""
    apart = task.copy(exclude_parent=True, exclude_tasks=True)
    apart._parent = task._parent
    value = apart.post_validate_attribute(name, templar=engine)
    return getattr(apart, name) if value is Sentinel else value


def fixed_attribute(task: Any, name: str) -> Any:
    """Return a keyword that holds no template, of the right type."""
    value = getattr(task, name)
    return None if value is None else task.get_validated_value(name, task.fattributes[name], value, None)


def display_name(task: Any, engine: Engine) -> str:
    """Return the name under which Ansible shows a task: `role : name`, templated as far as that is possible."""
    apart = task.copy(exclude_parent=True, exclude_tasks=True)
    apart._parent = task._parent
    apart.post_validate_attribute("name", templar=engine)
    return str(plain(apart.get_name()))


def task_args(
    task: Any, action: str, engine: Engine, *, raw: Sequence[str] = (), free_form: bool = False
) -> dict[str, Any]:
    """Return a task's parameters with `module_defaults`, templated but for those named `raw`.

    free_form: text in place of parameters stands for itself. As `Task._post_validate_args` does it, which needs the
    action's plugin.
    """
    given = dict(task.args)
    whole = given.pop("_variable_params", None)
    text = None if free_form else given.pop("_raw_params", None)

    def finalize(name: str, value: Any, templar: Any, _context: Any) -> Any:
        return value if name in raw else templar.template(value)

    layers = (_get_action_arg_defaults(action, task, engine), whole, text, given)
    found: dict[str, Any] = TaskArgsFinalizer(*layers, templar=engine).finalize(finalize, None)
    return found


def connection_defaults(play: Any, task: Any) -> dict[str, Any]:
    """Return what Ansible knows of a task's connection when a host's variables say nothing."""
    found = PlayContext(play).set_task_and_variable_override(task=task, variables={}, templar=None)
    values = {name: getattr(found, name, None) for name in C.MAGIC_VARIABLE_MAPPING if "become" not in name}
    return {name: value for name, value in values.items() if value is not None}


def connection_facts(defaults: Mapping[str, Any], host: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables that Ansible derives from a connection (`ansible_host`, `ansible_port`, ...).

    As `PlayContext.update_vars`, which takes a thousand times longer to get there.
    """
    found: dict[str, Any] = {}
    for setting, names in C.MAGIC_VARIABLE_MAPPING.items():
        if "become" in setting:
            continue
        given = next((variables[name] for name in names if name in variables), defaults.get(setting))
        if setting == "remote_addr" and not given:
            given = host.address
        if given is not None:
            found.update((name, given) for name in names if name not in variables)
    return found


def included(
    results: Sequence[tuple[Any, Any, dict[str, Any]]], play: Any, loader: Loader, variables: Variables
) -> list[Any]:
    """Return the files and roles that an include asks for on several hosts, each with its hosts.

    results: host, task with its keywords templated, and what a worker would have answered.
    """
    raw = [_RawTaskResult(host=host, task=task, return_data=data, task_fields={}) for host, task, data in results]
    found: list[Any] = IncludedFile.process_include_results(
        raw, iterator=_Iterator(play), loader=loader, variable_manager=variables
    )
    return found


class _Iterator:
    """As much of a `PlayIterator` as includes need."""

    def __init__(self, play: Any) -> None:
        self._play = play


def included_blocks(include: Any, play: Any, loader: Loader, variables: Variables) -> list[Any]:
    """Load what an include asks for, as the linear strategy does."""
    copied = include._task.copy(exclude_parent=True)
    copied._parent = include._task._parent
    copied.vars = copied.vars | include._vars
    if include._is_role:
        blocks: list[Any] = copied.get_block_list(play=play, variable_manager=variables, loader=loader)[0]
        return blocks
    data = loader.load_from_file(include._filename, trusted_as_template=True)
    if data is None:
        return []
    if not isinstance(data, list):
        raise AnsibleParserError("included task files must contain a list of tasks", obj=data)
    blocks = load_list_of_blocks(
        data,
        play=play,
        parent_block=copied.build_parent_block(),
        role=include._task._role,
        use_handlers=False,
        loader=loader,
        variable_manager=variables,
    )
    return list(blocks)


def argument_errors(spec: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a role's arguments, as `validate_argument_spec` says it."""
    found = ArgumentSpecValidator(spec).validate(given, validate_role_argument_spec=True)
    return [str(text) for text in found.error_messages]


def absolute(path: str) -> Path:
    """Return a path as Ansible takes it: from the home or the working directory, links left alone."""
    return Path(os.path.abspath(os.path.expanduser(path)))
