# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: gcs_lifecycle
short_description: Declare after how long a bucket deletes objects by itself, and for how long
  nobody can delete them
version_added: 0.1.0
description:
  - O(delete_after) sets the rule that deletes what is that old, everywhere or below O(prefixes);
    O(rules) sets any others. A rule that differs from a declared one in nothing but its age
    is replaced. All other rules stay, unless O(exclusive); one that would delete earlier what
    O(delete_after) keeps is an error. O(retention) sets the bucket's retention policy; it is
    never locked, and a locked one is never shortened. The change is made only if nobody changed
    the bucket's settings since they were read.
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
  delete_after:
    description:
      - Age in seconds, of whole days, at which objects are deleted.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  prefixes:
    description:
      - Only objects whose names begin so; all by default.
      - List of beginning of object names such as daily/.
    type: list
    elements: str
    default: []
  rules:
    description:
      - Further rules, each with C(action) and C(condition) as the JSON API has them.
      - List of lifecycle rule with an action and a condition.
    type: list
    elements: dict
    default: []
  exclusive:
    description:
      - Whether rules that are not declared here are removed.
    type: bool
    default: false
  retention:
    description:
      - Seconds for which no object can be deleted; 0 removes the policy.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
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
- name: Declare after how long a bucket deletes objects by itself
  opslib.runbook.gcs_lifecycle:
    project: spendsense-test
    bucket: spendsense-backups
    delete_after: 30d
- name: Declare after how long a bucket deletes objects by itself, with parameters
  opslib.runbook.gcs_lifecycle:
    project: spendsense-test
    bucket: spendsense-backups
    delete_after: 30d
    prefixes:
      - daily/
    rules:
      - action:
          type: AbortIncompleteMultipartUpload
        condition:
          age: 7
    retention: 7d
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(rules), C(retention_seconds), C(retention_locked), C(soft_delete_seconds)
    (for how long deleted objects can be restored). Sources: Object Lifecycle Management, Bucket
    Lock in the documentation of Cloud Storage.'
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
