# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: disk_usage
short_description: Check how full the file systems are, in bytes and inodes, and whether each
  of them answers
version_added: 0.1.0
description:
  - 'Without O(paths) it looks at every mounted file system that holds data: on block devices,
    network file systems, FUSE, ZFS. Left out are kernel interfaces (proc, sysfs, cgroup ...),
    memory (tmpfs, except at C(/) and C(/tmp)), overlays (except at C(/)), read-only images
    (squashfs, iso9660), automount points nobody has entered, and what is mounted on a single
    file. A file system mounted several times is counted once. Percentages are those of C(df):
    used / (used + available to ordinary users), rounded up, so that blocks reserved for root
    count as taken.'
  - 'A file system that may hang (of a network, FUSE) is asked by a process of its own: one
    that does not answer within O(timeout) is a failure, and the others are still reported.
    A path that is missing is a failure too. Nothing is ever changed.'
  - 'Errors: no file system found at all. Sources: df(1), statvfs(3), proc_pid_mountinfo(5).'
author:
  - opslib contributors (@opslib)
options:
  paths:
    description:
      - Paths whose file systems are looked at; every file system that holds data when none
        is given.
      - List of absolute path.
    type: list
    elements: path
    default: []
  warn:
    description:
      - Warn when this much is used ("85%"), or when less than this is free ("5G"); 0 for never.
      - Percentage as 90%, or a size as 512M.
    type: str
    default: 85%
  fail:
    description:
      - Fail when this much is used ("95%"), or when less than this is free ("2G"); 0 for never.
      - Percentage as 90%, or a size as 512M.
    type: str
    default: 95%
  inodes_warn:
    description:
      - Warn when this percentage of the inodes is used.
      - Percentage from 0 to 100.
    type: float
    default: 85
  inodes_fail:
    description:
      - Fail when this percentage of the inodes is used.
      - Percentage from 0 to 100.
    type: float
    default: 95
  exclude:
    description:
      - Mount points (patterns beginning with /) and file system types (other patterns) to leave
        out.
      - List of pattern.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds in which a file system must answer.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '5'
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
- name: Check how full the file systems are, in bytes and inodes
  opslib.runbook.disk_usage:
- name: Check how full the file systems are, in bytes and inodes, with parameters
  opslib.runbook.disk_usage:
    paths:
      - /
      - /var/lib/postgresql
    warn: 80%
    fail: 90%
    timeout: 10s
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(mounts), the fullest first, at most 200 (C(left_out) says how many more),
    each with C(paths) (those asked for), C(mount), C(device), C(fstype), C(size_bytes), C(used_bytes),
    C(free_bytes) (available to ordinary users), C(used_percent), C(inodes), C(inodes_free),
    C(inodes_used_percent) (null where a file system has no fixed number of inodes) and C(read_only);
    C(problems): a list of C(path) and C(error).'
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
