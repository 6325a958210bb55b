# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: python_packages
short_description: Tell which packages of a virtual environment are outdated or broken, and
  upgrade them, with a way back
version_added: 0.1.0
description:
  - 'Without O(upgrade) and O(restore) it only tells, and fails when a package''s constraints
    do not hold (C(pip check)). Before an upgrade the environment is copied aside, and what
    is installed is recorded beside it, as C(VENV.freeze-YYYYMMDD-HHMMSS.txt) (UTC, mode 0600),
    from which O(restore) brings the same versions back. When pip fails, is killed, or leaves
    constraints broken that held before, the copy is put back; when this task is killed, the
    next run puts it back. What would be installed is what C(pip install --dry-run) says; with
    a pip before 22.2 nobody knows, and the change is shown as "may change". pip runs as the
    environment''s owner, never as root in somebody else''s environment. Editable packages,
    and those that came from a URL, are left out of C(upgrade: all).'
  - 'Errors: no environment or no pip in there, a requirement that cannot be met, an index that
    does not answer, too little space for the copy, newly broken constraints. Sources: pip''s
    user guide, PEP 503.'
author:
  - opslib contributors (@opslib)
options:
  venv:
    description:
      - The virtual environment's folder.
      - Absolute path.
    type: path
    required: true
  upgrade:
    description:
      - What to upgrade; nothing when not given.
    type: str
    choices:
      - all
      - named
      - requirements
  packages:
    description:
      - 'What upgrade: named is to bring up to date.'
      - List of requirement such as "fastapi" or "fastapi>=0.110,<1".
    type: list
    elements: str
    default: []
  requirements:
    description:
      - 'Requirements file on the host, for upgrade: requirements.'
      - Absolute path.
    type: path
  constraints:
    description:
      - Constraints file on the host, which limits versions.
      - Absolute path.
    type: path
  restore:
    description:
      - Record to bring back, or latest.
      - 'Record: a file''s path, or latest.'
    type: str
  index_url:
    description:
      - Package index; may hold credentials, which only pip's environment gets.
      - Http or https URL.
    type: str
  find_links:
    description:
      - Folders or pages with packages beside the index.
      - List of absolute path, or http or https URL.
    type: list
    elements: str
    default: []
  no_index:
    description:
      - Whether to use find_links alone.
    type: bool
    default: false
  outdated:
    description:
      - Whether to ask the index what is outdated, when only telling.
    type: bool
    default: true
  outdated_fail:
    description:
      - Fail when so many packages are outdated.
      - Whole number from 1 to 100000.
    type: int
  keep:
    description:
      - How many records stay.
      - Whole number from 1 to 1000.
    type: int
    default: 10
  timeout:
    description:
      - Seconds that pip may take for one thing.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '900'
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
- name: Tell which packages of a virtual environment are outdated or broken
  opslib.runbook.python_packages:
    venv: /srv/dashboard/venv
- name: Tell which packages of a virtual environment are outdated or broken, with parameters
  opslib.runbook.python_packages:
    venv: /srv/dashboard/venv
    upgrade: all
    find_links:
      - /srv/wheels
    outdated_fail: 50
    timeout: 15m
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(venv), C(packages_count), C(broken) (in pip''s words), C(outdated) (null:
    not asked, or the index does not answer; else at most 300: C(name), C(installed), C(candidate)),
    C(outdated_count), C(records) (newest first).'
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
