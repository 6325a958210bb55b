# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: firestore_usage
short_description: Compare the documents read, written and deleted today, and the bytes stored,
  with limits
version_added: 0.1.0
description:
  - A day begins at midnight in California, when Google's quotas begin anew. The limits are
    those of the free plan (Spark); with a plan that is paid for, they are what you set them
    to. The numbers come from Cloud Monitoring, some minutes late. When the day's pace would
    lead over a limit, that is a warning. Nothing is changed.
  - 'Sources: https://firebase.google.com/docs/firestore/quotas, .../understand-performance-monitoring.'
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
  database:
    description:
      - The database in the project.
      - Database id.
    type: str
    default: (default)
  reads:
    description:
      - Documents that may be read in a day.
      - Whole number from 1 to 1000000000000000.0.
    type: int
    default: 50000
  writes:
    description:
      - Documents that may be written in a day.
      - Whole number from 1 to 1000000000000000.0.
    type: int
    default: 20000
  deletes:
    description:
      - Documents that may be deleted in a day.
      - Whole number from 1 to 1000000000000000.0.
    type: int
    default: 20000
  stored:
    description:
      - Bytes that may be stored, indexes among them.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 1G
  warn:
    description:
      - Percent of a limit from which to warn.
      - Percentage from 0 to 100.
    type: float
    default: 80
  fail:
    description:
      - Percent of a limit from which to fail.
      - Percentage from 0 to 100.
    type: float
    default: 100
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
- name: Compare the documents read, written and deleted today
  opslib.runbook.firestore_usage:
    project: spendsense-test
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(since) (UTC); for C(reads), C(writes), C(deletes) and C(stored_bytes): C(used),
    C(limit), C(percent), and for the first three C(by_midnight), what it would come to at the
    same pace (null in the first hour).'
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
