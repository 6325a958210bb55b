# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: revoke_access
short_description: Remove keys from the authorized_keys of all accounts, lock accounts, and
  end what runs as them
version_added: 0.1.0
description:
  - 'A locked account has no password that matches and is expired, so that keys open it no more
    either (usermod --lock --expiredate 1; undone by usermod --unlock --expiredate ''''). With
    O(processes) everything that runs as it is killed, sessions included. Refused, before anything
    is changed: root, the user who runs this, and keys with which somebody logged in, during
    the last day, from where this run comes from. What cannot be changed does not keep the rest
    from being revoked; the step then fails in the end. Keys are looked for in .ssh/authorized_keys
    and authorized_keys2 of all accounts that C(getent passwd) lists, and in the files that
    sshd names besides (AuthorizedKeysFile, as C(sshd -T) and sshd_config have it); where sshd
    asks a command for keys, or trusts certificates, a warning says so.'
  - 'A user whom a host does not have is a warning there: one host cannot know whether the name
    is wrong, or the account is on others only.'
  - 'Errors: a file cannot be read or changed. Sources: usermod(8), shadow(5), sshd(8), sshd_config(5)
    (UsePAM, AuthorizedKeysFile), getent(1).'
author:
  - opslib contributors (@opslib)
options:
  keys:
    description:
      - Fingerprints of keys.
      - List of fingerprint such as SHA256:... of 43 characters, as ssh-keygen -l shows it.
    type: list
    elements: str
    default: []
  users:
    description:
      - Accounts to lock.
      - List of user name.
    type: list
    elements: str
    default: []
  processes:
    description:
      - Whether to kill what runs as the locked accounts.
    type: bool
    default: true
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
- name: Remove keys from the authorized_keys of all accounts, lock accounts
  opslib.runbook.revoke_access:
    keys:
      - SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s
- name: Remove keys from the authorized_keys of all accounts, lock accounts, with parameters
  opslib.runbook.revoke_access:
    keys:
      - SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s
    users:
      - eve
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(keys): C(user), C(path), C(fingerprint), C(comment) of those found; C(users):
    C(user), C(locked), C(processes).'
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
