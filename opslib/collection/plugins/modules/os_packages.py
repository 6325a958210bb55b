# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: os_packages
short_description: Tell which Debian packages are outdated, and upgrade all of them, those with
  security fixes, or some
version_added: 0.1.0
description:
  - Without O(upgrade) it only tells, and changes nothing; with O(refresh_after) package lists
    older than that are fetched first. What an upgrade would do is what C(apt-get -s) says;
    where the lists are to be fetched first nobody knows yet, and the change is shown as "may
    change". Packages that are held stay. Nothing is removed unless O(removals) says so, and
    configuration files that were edited stay as they are. What an interrupted dpkg left half-done
    is finished first. While another program holds dpkg's lock the task waits for it, O(lock_timeout)
    at most.
  - 'Errors: no apt on the host, a package that is not installed, a lock that stays held (who
    holds it is said), lists that cannot be fetched, whatever apt-get refuses, missing permission.
    Sources: apt-get(8), dpkg(1), dpkg-query(1).'
author:
  - opslib contributors (@opslib)
options:
  upgrade:
    description:
      - What to upgrade; nothing when not given.
    type: str
    choices:
      - all
      - security
      - named
  packages:
    description:
      - 'Installed packages that upgrade: named is to upgrade.'
      - List of package name.
    type: list
    elements: str
    default: []
  refresh_after:
    description:
      - Fetch the package lists when they are older than so many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  removals:
    description:
      - Whether an upgrade may remove packages that stand in its way.
    type: bool
    default: false
  lock_timeout:
    description:
      - Seconds to wait for dpkg's lock.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '60'
  timeout:
    description:
      - Seconds that apt-get may take for one thing.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '1800'
  security_fail:
    description:
      - Fail when so many packages lack a security fix, or nobody knows.
      - Whole number from 1 to 100000.
    type: int
  outdated_fail:
    description:
      - Fail when so many packages are outdated, or nobody knows.
      - Whole number from 1 to 100000.
    type: int
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
- name: Tell which Debian packages are outdated
  opslib.runbook.os_packages:
- name: Tell which Debian packages are outdated, with parameters
  opslib.runbook.os_packages:
    upgrade: security
    refresh_after: 1d
    lock_timeout: 5m
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(outdated) (at most 200, security first: C(name), C(installed), C(candidate),
    C(security)), C(outdated_count), C(security_count), C(kept_back) (not upgraded because that
    would remove others), C(held), C(half_done), C(lists_age_seconds) (null: never fetched,
    or dated in the future), C(lock) (null, or C(file), C(pid), C(program)), C(reboot) (why
    one is due, in words), C(restarts) (what still runs replaced code: C(unit), C(pids), C(programs),
    C(files)).'
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
