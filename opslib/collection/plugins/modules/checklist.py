# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: checklist
short_description: Say of what only people can do (a review, a drill, training) when it was
  last done, and what is overdue
version_added: 0.1.0
description:
  - When an item was done is said by its own O(done), or was recorded on the host by an earlier
    run with O(done); the later of the two counts, but a day in the future, as of a clock that
    was ahead, does not. An item without C(every) is to be done once. What was never done is
    overdue as well.
  - 'Errors: a name in O(done) that is no item''s, a file that cannot be read or written.'
author:
  - opslib contributors (@opslib)
options:
  items:
    description:
      - 'What is to be done: names, or mappings with name, every (a duration), done (a day),
        by and why.'
      - List of name, or mapping with name, every, done, by and why.
    type: list
    elements: raw
    required: true
  done:
    description:
      - Items to record as done today.
      - List of name of an item.
    type: list
    elements: str
    default: []
  by:
    description:
      - Who did them.
      - Name.
    type: str
  file:
    description:
      - Where that is recorded; by default in /var/lib/opslib, or in the home of a user.
      - Absolute path.
    type: path
  soon:
    description:
      - Seconds before its time from which an item is due.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 7d
  strict:
    description:
      - Whether an overdue item is a failure; otherwise it is a warning.
    type: bool
    default: false
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
- name: Say of what only people can do (a review, a drill, training) when it was last done
  opslib.runbook.checklist:
    items:
      - name: Team training
        every: 90d
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(file), C(items): C(name), C(state) (done, due: within C(soon), overdue, never),
    C(done) (day, UTC), C(by), C(next) (day when it is due; null: not again), C(overdue_days),
    C(why); C(overdue_count).'
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
