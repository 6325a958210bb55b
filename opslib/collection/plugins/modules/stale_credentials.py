# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: stale_credentials
short_description: Restart a unit when the environment file holds other values than its running
  process was started with
version_added: 0.1.0
description:
  - 'A process reads its environment once, when it starts: credentials that were renewed in
    the file reach it with a restart only, and a restart for any other reason would help nothing.
    The values of O(keys) in the file, read as systemd reads it, are compared with the environment
    of the unit''s main process; neither is ever shown. After a restart the unit is watched
    as the task C(service) does, and must have the file''s values. A program that wrote its
    title over its environment (setproctitle, as gunicorn and Celery do) is not restarted: what
    it runs with is unknown.'
  - 'Errors: the unit does not run, the file cannot be read or lacks a variable, the process''s
    environment may not be read (take root), the unit does not come up, or has other values
    even then: its unit file names another file. Sources: systemd.exec(5), proc_pid_environ(5).'
author:
  - opslib contributors (@opslib)
options:
  unit:
    description:
      - Unit whose credentials may be stale.
      - Systemd unit name.
    type: str
    required: true
  env_file:
    description:
      - Environment file of the unit.
      - Absolute path.
    type: path
    required: true
  keys:
    description:
      - Variables to compare; by default all that the file holds.
      - List of name of an environment variable.
    type: list
    elements: str
  settle:
    description:
      - Seconds that the unit must stay up after a restart.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '3'
  start_timeout:
    description:
      - Seconds within which the unit must be up.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '90'
  http:
    description:
      - URL that must answer 200 after a restart, or a mapping of the parameters of http_check.
      - URL, or mapping of the parameters of http_check.
    type: raw
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
- name: Restart a unit when the environment file holds other values than its running process
    was started with
  opslib.runbook.stale_credentials:
    unit: app
    env_file: /etc/app.env
- name: Restart a unit when the environment file holds other values than its running process
    was started with, with parameters
  opslib.runbook.stale_credentials:
    unit: app
    env_file: /etc/app.env
    keys:
      - DATABASE_URL
    settle: 10s
    http: http://127.0.0.1:8000/health/db
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(unit), C(main_pid), C(known) (whether its environment is), C(stale) (names
    of the variables that differ), C(compared) (names).
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
