# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: gcs_prune
short_description: Delete old backups below a prefix
version_added: 0.1.0
description:
  - A backup is a Firestore export (a folder with a completion marker), or any object (a dump);
    see C(gcs_backups). One goes when all of it is older than O(older_than) by the service's
    clock, and it is none of the newest O(keep_last) good ones; exports are proven before they
    count as good ones, and nothing goes while fewer than O(keep_last) of them are known. What
    matches O(keep), and what is held or retained, stays.
  - The plan lists each backup. Every object is deleted only as the version that was seen, with
    the metadata that was seen, so one that was changed or put on hold meanwhile stays, and
    the step fails; of an export the completion marker goes first, so what is half deleted is
    never taken for whole, and the next run deletes the rest. A folder in which anything appeared
    or changed meanwhile is left whole.
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
      - How the backups' names begin.
      - Beginning of object names such as daily/.
    type: str
    required: true
  kind:
    description:
      - 'What a backup is: the folder of an export, or an object.'
    type: str
    default: firestore
    choices:
      - firestore
      - object
  keep_last:
    description:
      - How many of the newest good ones stay.
      - Whole number from 1 to 10000.
    type: int
    default: 7
  older_than:
    description:
      - Age in seconds from which a backup may go.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 30d
  keep:
    description:
      - Patterns; what matches by the last part of its name stays.
      - List of file name pattern.
    type: list
    elements: str
    default: []
  unfinished:
    description:
      - Whether old exports that never came to an end go, too.
    type: bool
    default: true
  most:
    description:
      - Refuse to act when more backups than this would go.
      - Whole number from 1 to 10000.
    type: int
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
- name: Delete old backups below a prefix
  opslib.runbook.gcs_prune:
    project: spendsense-test
    bucket: spendsense-backups
    prefix: daily/
- name: Delete old backups below a prefix, with parameters
  opslib.runbook.gcs_prune:
    project: spendsense-test
    bucket: spendsense-backups
    prefix: daily/
    keep:
      - manual-*
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(kept) (C(url), C(why)), at most 100; C(deleted), C(deleted_bytes): what this
    run deleted; C(good), the proven ones; C(bad), in words. Errors: more than C(most) would
    go. Source: Request preconditions in the documentation of Cloud Storage.'
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
