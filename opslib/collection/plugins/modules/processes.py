# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: processes
short_description: Count the processes that match a command, user or unit, and fail unless as
  many run as expected
version_added: 0.1.0
description:
  - 'A process counts when it fits all that is asked: the regular expression is searched in
    its whole command line (arguments joined by spaces; the kernel''s name for it where it has
    none), the user is its effective one, the unit is any systemd unit around it. Without any
    of them, all processes count. At least 1 is expected unless told otherwise. Never counted:
    this run itself, its children, the programs that started it (sudo, a shell, opslib or ansible
    on the same host), and kernel threads. A zombie is no running process: it is counted apart.
    The SSH session that carries the run counts as what it is, a process of sshd.'
  - 'Of a process only the program''s name and, for an interpreter, the script or module are
    shown: arguments may hold secrets. Nothing is changed.'
  - 'Errors: the expression takes too long to match. Sources: proc_pid_stat(5), proc_pid_status(5),
    proc_pid_cmdline(5), cgroups(7).'
author:
  - opslib contributors (@opslib)
options:
  command:
    description:
      - Count processes in whose command line this regular expression is found.
      - Regular expression.
    type: str
  user:
    description:
      - Count processes of this user, by name or number.
      - User name.
    type: str
  unit:
    description:
      - Count processes of this systemd unit.
      - Systemd unit name.
    type: str
  least:
    description:
      - Fail when fewer processes than this are found; where O(count) is given or O(most) is
        0, 1 means nothing.
      - Whole number from 0 to 1000000.
    type: int
    default: 1
  most:
    description:
      - Fail when more processes than this are found.
      - Whole number from 0 to 1000000.
    type: int
  count:
    description:
      - Fail unless exactly so many processes are found.
      - Whole number from 0 to 1000000.
    type: int
  top:
    description:
      - How many processes to list.
      - Whole number from 0 to 1000.
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
- name: Count the processes that match a command, user or unit
  opslib.runbook.processes:
- name: Count the processes that match a command, user or unit, with parameters
  opslib.runbook.processes:
    command: uvicorn .*app:app
    user: www-data
    unit: nginx.service
    most: 8
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(count), C(zombies) (of those asked for), C(processes), at most C(top), the
    oldest first (C(left_out) says how many more): C(pid), C(user), C(unit) (empty outside any
    service or scope), C(started) (UTC), C(age_seconds), C(rss_bytes), C(cpu_seconds), C(state)
    (running, sleeping, uninterruptible, stopped, traced), C(command).'
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
