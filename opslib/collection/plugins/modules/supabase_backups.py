# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: supabase_backups
short_description: List the backups that Supabase has made, and hold the newest against the
  age that is promised
version_added: 0.1.0
description:
  - 'It fails when none is complete, when the newest complete one is too old, or when they do
    not reach back as far as O(keep) asks. With restores to any moment (PITR) the reach of those
    counts, too. Whether a backup can be restored only a restore shows: see C(postgres_proof)
    for dumps of one''s own.'
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
  ref:
    description:
      - The project's reference.
      - Supabase project reference.
    type: str
    required: true
  token:
    description:
      - Access token of the management API; else the environment's SUPABASE_ACCESS_TOKEN.
      - Access token.
    type: str
  api:
    description:
      - URL of the management API; else the environment's SUPABASE_API_URL, or https://api.supabase.com.
      - Http or https URL.
    type: str
  max_age:
    description:
      - Seconds that the newest backup may be old; daily ones take a while to make.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 26h
  keep:
    description:
      - Seconds that the oldest backup must reach back.
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
- name: List the backups that Supabase has made
  opslib.runbook.supabase_backups:
    ref: abcdefghijklmnopqrst
- name: List the backups that Supabase has made, with parameters
  opslib.runbook.supabase_backups:
    ref: abcdefghijklmnopqrst
    keep: 7d
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(backups), each with C(id), C(status), C(made) (seconds since 1970), C(age_seconds),
    C(physical); the newest first; C(newest_seconds) and C(oldest_seconds) (ages of complete
    ones), C(pitr), C(pitr_from) and C(pitr_until) (seconds since 1970), C(region). Source:
    https://supabase.com/docs/reference/api/v1-list-all-backups'
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
