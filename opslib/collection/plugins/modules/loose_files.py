# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: loose_files
short_description: Find files and folders that anybody on the host can write to, and secrets
  that anybody can read
version_added: 0.1.0
description:
  - Folders that nobody but their owner and group can enter hide what is in them. A folder with
    the sticky bit (/tmp) is as it should be. What counts as a secret goes by its name. Links
    are not followed, and other file systems below a folder are not entered. Nothing is changed.
  - 'Errors: none; folders that cannot be entered are told, as are missing ones, but for those
    of the default. Source: inode(7).'
author:
  - opslib contributors (@opslib)
options:
  folders:
    description:
      - Folders to look into.
      - List of absolute path.
    type: list
    elements: path
    default:
      - /etc
      - /usr/local
      - /opt
      - /srv
      - /root
      - /home
      - /var/www
      - /var/spool/cron
  ignore:
    description:
      - Patterns of paths that are left out.
      - List of pattern of paths.
    type: list
    elements: str
    default: []
  secrets_named:
    description:
      - Names of files that others must not read.
      - List of file name pattern.
    type: list
    elements: str
    default:
      - .env
      - '*.env'
      - .env.*
      - '*.key'
      - '*.pfx'
      - '*.p12'
      - id_rsa
      - id_dsa
      - id_ecdsa
      - id_ed25519
      - .pgpass
  strict:
    description:
      - Whether what is found is a failure; otherwise it is a warning.
    type: bool
    default: false
  most:
    description:
      - How many files to look at, at most.
      - Whole number from 1 to 10000000.
    type: int
    default: 1000000
  top:
    description:
      - How many of each list to show.
      - Whole number from 1 to 1000.
    type: int
    default: 50
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
- name: Find files and folders that anybody on the host can write to
  opslib.runbook.loose_files:
- name: Find files and folders that anybody on the host can write to, with parameters
  opslib.runbook.loose_files:
    folders:
      - /etc
      - /srv
    ignore:
      - /srv/x/*
    secrets_named:
      - '*.env'
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(writable) and C(readable_secrets) (at most C(top) each): C(path), C(mode),
    C(kind) (file, folder, other), C(uid); C(writable_count), C(readable_secrets_count), C(looked_at),
    C(complete) (false when there were more than C(most) files).'
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
