# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: firestore_operations
short_description: List the exports, imports and other long operations of a Firestore database,
  or follow them to their end
version_added: 0.1.0
description:
  - 'mode: C(list) tells what the service knows (it forgets old ones); C(follow) waits for O(operation),
    or for all that are under way, tells how far they are, and fails if one of them fails. Nothing
    is changed.'
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
  mode:
    description:
      - List them, or wait for their end.
    type: str
    default: list
    choices:
      - list
      - follow
  operation:
    description:
      - Only the operation with this id.
      - Operation id.
    type: str
  last:
    description:
      - How many to list.
      - Whole number from 1 to 1000.
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
- name: List the exports, imports and other long operations of a Firestore database, or follow
    them to their end
  opslib.runbook.firestore_operations:
    project: spendsense-test
- name: List the exports, imports and other long operations of a Firestore database, or follow
    them to their end, with parameters
  opslib.runbook.firestore_operations:
    project: spendsense-test
    operation: ASA1MDAw
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(operations), the newest first, each with C(id), C(kind) (export, import, other),
    C(state), C(done), C(failure), C(address), C(began), C(ended) (UTC), C(documents), C(expected),
    C(bytes), C(filtered) (of chosen collections or namespaces only); C(running), how many are
    under way.
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
