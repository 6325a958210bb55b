# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: capacity_trend
short_description: Record how full the disks and the memory are, fit a line to each, and say
  when a disk will be full
version_added: 0.1.0
description:
  - 'Each run records one sample in O(history) on the host, unless the last is younger than
    O(every); the newest O(keep) stay. A disk is judged by the samples since it was last cleaned
    up (a fall by a twentieth), once they span O(least). The date when it is full follows from
    the line; how sure that is, from how well the samples lie on it: C(high) when the growth
    is known to a fifth, C(medium) to the half, C(low) when little more than its direction is
    known, C(none) when it may as well be chance (then there is no date). A date C(low) never
    fails the step.'
  - 'Errors: a history that cannot be read or written. Sources: statvfs(3), ordinary least squares.'
author:
  - opslib contributors (@opslib)
options:
  paths:
    description:
      - Paths whose file systems are looked at; all that hold data when empty.
      - List of absolute path.
    type: list
    elements: path
    default: []
  history:
    description:
      - File of samples; by default in /var/lib/opslib, or in the home of a user.
      - Absolute path.
    type: path
  record:
    description:
      - Whether to record a sample.
    type: bool
    default: true
  every:
    description:
      - Seconds between two samples, at least.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 6h
  keep:
    description:
      - How many samples stay.
      - Whole number from 10 to 5000.
    type: int
    default: 1500
  least:
    description:
      - Seconds that samples must span to be judged.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 3d
  warn:
    description:
      - Warn of a disk that will be full within so many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 90d
  fail:
    description:
      - Fail when a disk will be full within so many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  timeout:
    description:
      - Seconds to wait for a file system's answer.
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
- name: Record how full the disks and the memory are, fit a line to each
  opslib.runbook.capacity_trend:
- name: Record how full the disks and the memory are, fit a line to each, with parameters
  opslib.runbook.capacity_trend:
    paths:
      - /srv
    every: 1d
    fail: 7d
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(history), C(samples), C(recorded_seconds) (since the last sample; null: none),
    C(memory) (C(total_bytes), C(available_bytes), C(available_per_day_bytes), C(sure)), C(disks):
    C(mount), C(used_bytes), C(free_bytes), C(per_day_bytes), C(likely_per_day_bytes) (least
    and most), C(samples), C(span_seconds), C(sure), C(full_seconds) (until it is full; null:
    no date), C(full_date) (UTC), C(full_date_likely) (earliest and latest; null: never).'
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
