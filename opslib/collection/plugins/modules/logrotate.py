# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: logrotate
short_description: 'Manage a logrotate configuration: which logs are rotated, how often, and
  how many old ones are kept'
version_added: 0.1.0
description:
  - 'The file is tried by C(logrotate --debug) before anything is written: alone, under the
    global directives of the main configuration, and beside all other configurations, which
    finds logs that two of them claim. What logrotate reports as an error, even one with which
    it exits 0, is a failure; so is a O(postrotate) that the shell cannot parse, and an error
    that comes up later though the file is unchanged. The candidate is tried in memory, nothing
    is written for it; logrotate itself however creates, even in debug mode, a missing C(olddir)
    of a configuration that has C(createolddir). Options not given are left out of the file,
    so that the main configuration''s hold.'
  - 'O(force) rotates the logs now, once per run: an action, planned only for logs that logrotate
    would rotate (not for an empty one with O(notifempty)), after which each of them must be
    another file, gone, or shorter.'
  - 'Errors: logrotate is missing; the file is no regular file; it was changed meanwhile; a
    log was not rotated. Sources: logrotate(8) 3.21 and its source, config.c.'
author:
  - opslib contributors (@opslib)
options:
  config:
    description:
      - Name of the file below O(folder).
      - Configuration name.
    type: str
    required: true
  paths:
    description:
      - 'Logs to rotate: absolute paths or globs.'
      - List of absolute path or glob of logs.
    type: list
    elements: path
  state:
    description:
      - Whether the configuration is to exist.
    type: str
    default: present
    choices:
      - present
      - absent
  frequency:
    description:
      - How often logs are rotated; daily when neither this nor O(size) is given.
    type: str
    choices:
      - hourly
      - daily
      - weekly
      - monthly
      - yearly
  rotate:
    description:
      - How many rotated logs are kept; 0 keeps none.
      - Whole number from 0 to 100000.
    type: int
    default: 14
  size:
    description:
      - Rotate whenever a log is larger than this many bytes, whatever its age.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
  maxsize:
    description:
      - Rotate a log larger than this many bytes even before its time.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
  minsize:
    description:
      - Leave a log smaller than this many bytes even when its time has come.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
  maxage:
    description:
      - Remove rotated logs older than this many days.
      - Whole number from 1 to 36500.
    type: int
  compress:
    description:
      - Whether rotated logs are compressed.
    type: bool
    default: true
  delaycompress:
    description:
      - Whether the newest rotated log stays uncompressed, for programs that still write to
        it.
    type: bool
    default: true
  dateext:
    description:
      - Whether rotated logs are named by date instead of by number.
    type: bool
  missingok:
    description:
      - Whether a missing log is no error.
    type: bool
    default: true
  notifempty:
    description:
      - Whether empty logs are left alone.
    type: bool
    default: true
  copytruncate:
    description:
      - Whether logs are copied and emptied in place, for programs that never reopen them; some
        lines may be lost.
    type: bool
  create:
    description:
      - Mode of the new, empty log.
      - Octal file mode such as 0640.
    type: str
  owner:
    description:
      - Owner of the new log; needs O(create).
      - User name.
    type: str
  group:
    description:
      - Group of the new log; needs O(owner).
      - Group name.
    type: str
  su_user:
    description:
      - User as whom logs are rotated; needed where others may write to their folder.
      - User name.
    type: str
  su_group:
    description:
      - Group as which logs are rotated; goes with O(su_user).
      - Group name.
    type: str
  sharedscripts:
    description:
      - Whether O(postrotate) runs once for all logs instead of once for each.
    type: bool
  postrotate:
    description:
      - Shell commands, one line each, that root runs after a rotation.
      - List of shell command lines.
    type: raw
  force:
    description:
      - Whether to rotate the logs now, whether or not they are due.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that a forced rotation may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '600'
  backup:
    description:
      - Whether a replaced configuration is kept as NAME~, which logrotate does not read.
    type: bool
    default: false
  folder:
    description:
      - Folder of the configurations.
      - Absolute path.
    type: path
    default: /etc/logrotate.d
  main:
    description:
      - The main configuration, which includes the folder.
      - Absolute path.
    type: path
    default: /etc/logrotate.conf
  status_file:
    description:
      - State file of forced rotations; the one logrotate was built with when not given.
      - Absolute path.
    type: path
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
- name: Manage a logrotate configuration
  opslib.runbook.logrotate:
    config: myapp
    paths:
      - /srv/app/logs/*.log
- name: Manage a logrotate configuration, with parameters
  opslib.runbook.logrotate:
    config: myapp
    paths:
      - /srv/app/logs/*.log
    frequency: weekly
    create: '0640'
    owner: app
    group: adm
    postrotate:
      - systemctl kill -s HUP myapp.service
    timeout: 30m
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(path); C(logs): the logs there are now, at most 200 (C(logs_left_out) says
    how many more); C(missing): the paths and globs that no log matches; C(rotated): the logs
    that this run rotated; C(errors): what logrotate objects to.'
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
