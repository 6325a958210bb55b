# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: log_size
short_description: Check how much space log files take, list the largest, and point out files
  that are growing or hold space unseen
version_added: 0.1.0
description:
  - What counts is the space taken on the disk (holes and compression saved), each file once
    however many hard links it has, with what deleted files still take because a process holds
    them open. Symbolic links are not followed, but a path given here that is itself a link
    is resolved once. Other file systems mounted below a path are not entered. A path that does
    not exist is a failure, a pattern that matches nothing a warning.
  - 'A single look knows no history, so a file is called suspect for what can be seen now: it
    takes at least O(suspect) and was written to within O(active) ("active") or takes more than
    half of the whole ("dominant"); or it has large holes, or is compressed by the file system
    ("sparse": a log emptied while its writer did not append looks so). Nothing is ever changed.'
  - 'Errors: a pattern that matches more than 1000 folders. Sources: stat(2), du(1), proc_pid_fd(5).'
author:
  - opslib contributors (@opslib)
options:
  paths:
    description:
      - Files, folders and patterns, absolute.
      - List of absolute path.
    type: list
    elements: path
    default:
      - /var/log
  recurse:
    description:
      - Look into folders below as well.
    type: bool
    default: true
  patterns:
    description:
      - Count only files in folders whose names fit one of these patterns; all when none is
        given.
      - List of file name pattern.
    type: list
    elements: str
    default: []
  warn:
    description:
      - Warn when all together take more than this many bytes.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
  fail:
    description:
      - Fail when all together take more than this many bytes.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
  file_warn:
    description:
      - Warn of each file that takes more than this many bytes.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
  file_fail:
    description:
      - Fail when a file takes more than this many bytes.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
  suspect:
    description:
      - Bytes from which a file that grows is worth a remark.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 100M
  active:
    description:
      - A file written to within this many seconds is growing.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 10m
  open_files:
    description:
      - Look for deleted files that processes still hold open.
    type: bool
    default: true
  top:
    description:
      - How many of the largest files to list.
      - Whole number from 0 to 500.
    type: int
    default: 20
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
- name: Check how much space log files take, list the largest
  opslib.runbook.log_size:
- name: Check how much space log files take, list the largest, with parameters
  opslib.runbook.log_size:
    paths:
      - /srv/app/logs/*
      - /var/log
    patterns:
      - '*.log'
      - '*.log.*'
    warn: 2G
    fail: 10G
    file_warn: 1G
    file_fail: 5G
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(files), C(size_bytes) (apparent) and C(disk_bytes) of all files found, C(deleted_disk_bytes),
    C(total_bytes) (on the disk, deleted files included), C(links) (not followed), C(largest)
    (at most C(top); C(left_out) says how many files more) each with C(path), C(size_bytes),
    C(disk_bytes), C(age_seconds) since it was written; C(suspects) the same with C(signs);
    C(deleted) files, at most 50, with C(path), C(size_bytes), C(disk_bytes), C(pids) and C(command);
    C(missing) paths in words.
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
