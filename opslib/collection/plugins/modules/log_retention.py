# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: log_retention
short_description: Archive and delete log files that are older than an age
version_added: 0.1.0
description:
  - 'Files below O(root) whose name matches one of O(patterns) and whose content was last modified
    more than O(older_than) ago are written to one compressed tar file in O(archive_to), or
    deleted, or both, in this order: nothing is deleted before the archive is complete, on disk,
    read back, and found to hold the same list, sizes and contents. The archive is called C(logs-YYYYMMDD-HHMMSS.tar.gz)
    (UTC, mode 0600); an index beside it tells later runs what is archived already, so nothing
    is archived twice, whether or not it is deleted. A run killed at any point leaves the originals,
    or a complete archive, or both; the next run removes what was left half-done and goes on.'
  - 'Only regular files are touched: links are neither followed nor removed, other file systems
    not entered, folders not removed. A file that a process has open for writing is left alone,
    and so is one that changed between being looked at and being acted on. Without root it cannot
    be seen whether other users'' processes write to a file; then files of other users are left
    alone too (C(open_files: touch) takes them), and for our own the kernel is asked.'
  - 'Errors: O(root) cannot be entered; more than O(max_files) match; too little space for the
    archive (estimated with a quarter of each file that is not compressed yet, and watched while
    writing); a file cannot be read or deleted. Sources: open(2), fcntl(2) (Leases), proc_pid_fd(5),
    rename(2).'
author:
  - opslib contributors (@opslib)
options:
  root:
    description:
      - Folder below which logs are looked for.
      - Absolute path.
    type: path
    required: true
  older_than:
    description:
      - Age in seconds since its last modification from which a file is old.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 30d
  patterns:
    description:
      - Names of rotated logs; by default what logrotate and most loggers make of NAME.log.
      - List of file name pattern.
    type: list
    elements: str
    default:
      - '*.log.*'
      - '*.log-*'
  archive_to:
    description:
      - Folder for the archives, made (mode 0700) when missing.
      - Absolute path.
    type: path
  delete:
    description:
      - Whether old files are deleted, once archived if archiving is asked.
    type: bool
    default: false
  recurse:
    description:
      - Whether to look into folders below the root.
    type: bool
    default: true
  min_keep:
    description:
      - How many of the newest matching files stay in each folder.
      - Whole number from 0 to 1000000.
    type: int
    default: 0
  open_files:
    description:
      - What to do with a file that a process may still write to.
    type: str
    default: skip
    choices:
      - skip
      - touch
  max_files:
    description:
      - Refuse to act when more files than this are old.
      - Whole number from 1 to 5000000.
    type: int
    default: 100000
  keep_free:
    description:
      - Bytes that archiving must leave free on the file system of the archives.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 256M
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
- name: Archive and delete log files that are older than an age
  opslib.runbook.log_retention:
    root: /srv/app/logs
    archive_to: /srv/app/archive
- name: Archive and delete log files that are older than an age, with parameters
  opslib.runbook.log_retention:
    root: /srv/app/logs
    archive_to: /srv/app/archive
    min_keep: 3
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(matched_files), C(matched_bytes), C(oldest_age_seconds): what is old enough
    now; C(due_files), C(due_bytes): what of it is to be acted on, C(bytes_to_free) by deleting
    it (with other links, or open for reading, a file frees none); C(kept_files) (by C(min_keep)),
    C(archived_files) (already), C(links_skipped); C(open_files) (C(path), C(by)) and C(left)
    (C(path), C(why)), at most 20 each. What this run did: C(archive) (path or null), C(archive_bytes),
    C(files_archived), C(files_deleted), C(bytes_freed), all zero in check mode.'
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
