# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: vercel_deployments
short_description: List a project's deployments, the newest first, and say which one is in production
version_added: 0.1.0
description:
  - 'Source: https://vercel.com/docs/rest-api/deployments/list-deployments'
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
      - The project.
      - 'Vercel project: name or id.'
    type: str
    required: true
  team:
    description:
      - The team that has the project; without it the personal account of the token.
      - 'Vercel team: id or slug.'
    type: str
  token:
    description:
      - Access token, from a vault; else the environment's VERCEL_TOKEN.
      - Access token.
    type: str
  api:
    description:
      - URL of the API; else the environment's VERCEL_API_URL, or https://api.vercel.com.
      - Http or https URL.
    type: str
  most:
    description:
      - How many deployments to list at most.
      - Whole number from 1 to 10000.
    type: int
    default: 20
  target:
    description:
      - Only those built for this.
    type: str
    choices:
      - production
      - preview
  states:
    description:
      - Only those in one of these states.
    type: list
    elements: str
    default: []
    choices:
      - QUEUED
      - INITIALIZING
      - BUILDING
      - READY
      - ERROR
      - CANCELED
      - BLOCKED
      - DELETED
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
- name: List a project's deployments, the newest first
  opslib.runbook.vercel_deployments:
    project: dashboard
- name: List a project's deployments, the newest first, with parameters
  opslib.runbook.vercel_deployments:
    project: dashboard
    team: acme
    states:
      - ERROR
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(deployments), each with C(id), C(url), C(state) (QUEUED, INITIALIZING, BUILDING,
    READY, ERROR, CANCELED, BLOCKED or DELETED), C(target), C(in_production), C(age_seconds),
    C(creator), C(version) (of C(vercel_deploy), or the commit) and, after a failed build, C(error);
    C(production) (its id), C(states) (how many there are of each).
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
