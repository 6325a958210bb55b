# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: python_import
short_description: Import packages with the Python of a virtual environment, and fail when one
  of them cannot be imported
version_added: 0.1.0
description:
  - C(pip list) shows a package that is installed; whether it works, with its compiled parts
    and the libraries they want, only an import tells. Each module is imported in a process
    of its own, isolated from the environment and the current folder, which writes no compiled
    files; as O(user) when given (takes root), because an import runs the package's code. A
    warning says when an import needs more memory than O(max_memory).
author:
  - opslib contributors (@opslib)
options:
  venv:
    description:
      - Folder of the virtual environment.
      - Absolute path.
    type: path
    required: true
  modules:
    description:
      - Modules to import.
      - List of name of a Python module.
    type: list
    elements: str
    required: true
  user:
    description:
      - User to import as.
      - User name.
    type: str
  max_memory:
    description:
      - Bytes of memory from which an import is worth a warning.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
  timeout:
    description:
      - Seconds that one import may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '60'
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
attributes:
  action:
    support: full
  async:
    support: none
  become:
    support: full
  bypass_host_loop:
    support: none
  check_mode:
    support: full
  connection:
    support: full
  delegation:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: posix
requirements:
  - opslib on the controller
  - Python 3.8 or newer on the host
"""

EXAMPLES = r"""
---
- name: Import packages with the Python of a virtual environment
  opslib.runbook.python_import:
    venv: /srv/app/venv
    modules:
      - prophet
- name: Import packages with the Python of a virtual environment, with parameters
  opslib.runbook.python_import:
    venv: /srv/app/venv
    modules:
      - prophet
    user: www-data
    max_memory: 500M
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(modules) by name (C(imported), C(version) or null, C(seconds), C(memory_bytes)
    (the process at its largest), C(error) or null), C(python) (path), C(python_version). Source:
    getrusage(2).'
  returned: always
  type: dict
opslib:
  description: The whole result, as opslib reports it.
  returned: always
  type: dict
  contains:
    status:
      description: C(ok), C(changed) or C(failed).
      returned: always
      type: str
    changed:
      description: Whether anything was changed, or in check mode would be.
      returned: always
      type: bool
    reason:
      description: Why there was nothing to do, or what was found.
      returned: always
      type: str
    warnings:
      description: Remarks that do not fail the task.
      returned: always
      type: list
      elements: str
    data:
      description: The facts that the task gathered.
      returned: always
      type: dict
    error:
      description: What went wrong and what to do; null when nothing did.
      returned: always
      type: str
    seconds:
      description: Time taken.
      returned: always
      type: float
    changes:
      description: What was changed, or in check mode would be.
      returned: always
      type: list
      elements: dict
      contains:
        kind:
          description: C(create), C(modify), C(remove), or C(action) for an act that is no state.
          returned: always
          type: str
        summary:
          description: What was done, or in check mode would be done.
          returned: always
          type: str
        before:
          description: How it was; hidden where it is a secret.
          returned: always
          type: raw
        after:
          description: How it is to be; hidden where it is a secret.
          returned: always
          type: raw
        certain:
          description: Whether it is sure to happen; false for what may change.
          returned: always
          type: bool
"""
