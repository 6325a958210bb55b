"""Where playbooks, roles and collections stand."""

from __future__ import annotations

import os
from pathlib import Path

from ansible.plugins.loader import add_all_plugin_dirs
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.collection_loader._collection_finder import (
    _get_collection_name_from_path,
    _get_collection_playbook_path,
    _get_collection_role_path,
)

__all__ = ["absolute", "enter_folder", "find_playbook", "find_role"]


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


def absolute(path: str) -> Path:
    """Return a path as Ansible takes it: from the home or the working directory, links left alone."""
    return Path(os.path.abspath(os.path.expanduser(path)))
