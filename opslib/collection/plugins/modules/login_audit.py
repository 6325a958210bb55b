# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: login_audit
short_description: Count failed and successful logins by source and user, uses of sudo and su,
  changed accounts and new keys
version_added: 0.1.0
description:
  - 'Reads what sshd, sudo, su and the tools for accounts say in the journal, or in auth.log
    where there is no lasting journal, the logins in wtmp, and the keys of all accounts: of
    those that C(getent passwd) lists and those who logged in, in their authorized_keys and
    in the files that sshd names besides (C(sshd -T)). Three things are severe: a source that
    failed at least O(guesses) times and then got in; a login from outside the O(known) networks;
    logins in wtmp that no log knows of, or emptied records there (somebody wiped traces). They
    are warnings, or failures with O(strict). Of a command that ran under sudo only the program
    is shown. Where the log may not be read, that is severe as well, and all else is looked
    at. Nothing is changed.'
  - 'Errors: the journal cannot be read. Sources: sshd(8), sshd_config(5), sudo(8), utmp(5),
    journalctl(1), getent(1).'
author:
  - opslib contributors (@opslib)
options:
  since:
    description:
      - Look at this many seconds until now.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 7d
  known:
    description:
      - Networks from which people log in.
      - List of IP address, or network such as 203.0.113.0/24.
    type: list
    elements: str
    default: []
  guesses:
    description:
      - So many failures before a success look like a guessed password.
      - Whole number from 1 to 1000000.
    type: int
    default: 10
  strict:
    description:
      - Whether what is severe is a failure.
    type: bool
    default: false
  source:
    description:
      - Where to read what sshd and sudo said.
    type: str
    default: auto
    choices:
      - auto
      - journal
      - files
  wtmp:
    description:
      - The record of logins.
      - Absolute path.
    type: path
    default: /var/log/wtmp
  top:
    description:
      - How many entries of each list to show.
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
- name: Count failed and successful logins by source and user, uses of sudo and su, changed
    accounts and new keys
  opslib.runbook.login_audit:
- name: Count failed and successful logins by source and user, uses of sudo and su, changed
    accounts and new keys, with parameters
  opslib.runbook.login_audit:
    since: 1d
    known:
      - 10.0.0.0/8
      - 203.0.113.7
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(since) (UTC), C(source) (journal, files), C(complete) (false when the log
    is too long, or may not be read); C(failed_count), C(failed) by source, the most first:
    C(address), C(count), C(users) (at most 10), C(user_count), C(first), C(last); C(login_count),
    C(logins) by user and source: C(user), C(address), C(method), C(key) (fingerprint), C(count),
    C(first), C(last), C(known) (null without C(known)); C(broken_in): C(address), C(users),
    C(failures), C(at); C(sudo): C(user), C(target), C(program), C(count), C(last); C(sudo_failed):
    the same; C(su) and C(su_failed): C(user), C(target), C(count), C(last); C(accounts): C(at),
    C(text); C(keys): C(user) (C(*) for all), C(type), C(fingerprint), C(comment), C(options),
    C(path), C(changed) (UTC), C(new); C(key_count), C(new_keys); C(wtmp_count), C(wtmp_unlogged):
    C(user), C(host), C(at); C(wtmp_empty). Of each list at most C(top).'
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
