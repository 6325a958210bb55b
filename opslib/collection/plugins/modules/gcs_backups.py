# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: gcs_backups
short_description: List the backups below a prefix, and fail when there is no good one, or none
  as young as promised
version_added: 0.1.0
description:
  - 'A backup is a Firestore export (a folder with a completion marker), or any object (a dump).
    The newest is found by the time at which it was complete, whatever its name says. Of exports,
    the newest is proven: its marker is there, was written last and is undamaged, and the parts
    and outputs that it names are there and not empty; with O(read) every byte is read and held
    against its checksum. A newest one that fails this fails the step, and the newest good one
    is named (of the 5 newest). Nothing is changed.'
author:
  - opslib contributors (@opslib)
options:
  wait:
    description:
      - Seconds that everything together may take, or a time such as C(30m).
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 15m
  poll:
    description:
      - Seconds before a second look at what is under way, or a second try; later pauses are
        longer.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '2'
  project:
    description:
      - The project to work in; none is taken from the environment.
      - Google Cloud project id.
    type: str
    required: true
  bucket:
    description:
      - The bucket, without gs://.
      - Bucket name without gs://.
    type: str
    required: true
  prefix:
    description:
      - How the backups' names begin; all of the bucket by default.
      - Beginning of object names such as daily/.
    type: str
    default: ''
  kind:
    description:
      - 'What a backup is: the folder of an export, or an object.'
    type: str
    default: firestore
    choices:
      - firestore
      - object
  every:
    description:
      - Seconds between promised backups; not judged when absent.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  grace:
    description:
      - How late one may be, in seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 2h
  least_bytes:
    description:
      - How big the newest must be, in bytes.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: '0'
  read:
    description:
      - Read every byte of the newest export, which costs what a download costs.
    type: bool
    default: false
  last:
    description:
      - How many backups to list.
      - Whole number from 1 to 1000.
    type: int
    default: 10
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
    support: none
  bypass_host_loop:
    support: none
  check_mode:
    support: full
  connection:
    support: none
  delegation:
    support: none
  diff_mode:
    support: full
  platform:
    support: full
    platforms: posix
requirements:
  - opslib on the controller
"""

EXAMPLES = r"""
---
- name: List the backups below a prefix
  opslib.runbook.gcs_backups:
    project: spendsense-test
    bucket: spendsense-backups
- name: List the backups below a prefix, with parameters
  opslib.runbook.gcs_backups:
    project: spendsense-test
    bucket: spendsense-backups
    prefix: daily/
    every: 1d
    least_bytes: 1M
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(newest) and C(good) (the newest that can be relied on), each null or with C(url),
    C(finished) (UTC), C(age_seconds), C(bytes), C(objects), and for exports C(documents) (null
    if unknown), C(problems), C(remarks), C(verified); C(backups), the newest of the complete
    ones, and C(unfinished), those without a marker, each with C(url), C(finished), C(age_seconds),
    C(bytes), C(objects); C(complete), how many there are; C(total_bytes).
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
