"""ansible-core, inside this process: the only package of the controller that imports `ansible`.

ansible-core is written for command lines that do one thing and end. Some of its habits matter to a library, and are
dealt with here:

- it keeps its options, vault passwords and default collection in globals: see `active`;
- it prints: what it would print becomes a list of warnings;
- it makes a folder below `~/.ansible` when it is imported: it gets the system's folder for temporary files instead;
- it compiles a template anew for each use: `Engine` keeps what it has compiled;
- it parses the list of its own plugins in every process: see `routing`.

`ansible.cfg` is honoured as ansible-core does it: found when this package is imported (ANSIBLE_CONFIG, the working
directory, the home, /etc/ansible), for the paths of collections, roles and plugins and for its defaults.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator

from opslib.errors import MissingError


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
        from ansible._internal._task import TaskContext
        from ansible.errors import (
            AnsibleError,
            AnsibleParserError,
            AnsibleUndefinedVariable,
            AnsibleValueOmittedError,
        )
        from ansible.parsing.vault import EncryptedString, VaultSecret, VaultSecretsContext
        from ansible.playbook import Playbook
        from ansible.playbook.block import Block
        from ansible.plugins.loader import init_plugin_loader
        from ansible.utils.collection_loader import AnsibleCollectionConfig, _collection_finder
        from ansible.utils.display import Display
        from ansible.utils.helpers import pct_to_int
        from ansible.utils.vars import combine_vars

        from opslib.engines.ansible_core import routing
        from opslib.engines.ansible_core.connections import connection_defaults, connection_facts
        from opslib.engines.ansible_core.includes import included, included_blocks
        from opslib.engines.ansible_core.keywords import (
            argument_errors,
            attribute,
            display_name,
            fixed_attribute,
            loop_items,
            task_args,
        )
        from opslib.engines.ansible_core.loader import Loader, vault_secrets
        from opslib.engines.ansible_core.places import absolute, enter_folder, find_playbook, find_role
        from opslib.engines.ansible_core.problems import in_words, reading
        from opslib.engines.ansible_core.state import active, configured
        from opslib.engines.ansible_core.templates import Engine
        from opslib.engines.ansible_core.values import encrypted, is_template, origin, plain, trusted
        from opslib.engines.ansible_core.variables import Sources, Variables, parse_extra_vars

        _collection_finder._meta_yml_to_dict = routing.read  # noqa: SLF001 - its documentation says so
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
