# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: vercel_rollback
short_description: Point production back at the deployment that was there before, or at a named
  one; and see it there
version_added: 0.1.0
description:
  - 'Without O(deployment) it is the newest READY production deployment that is older than the
    current one and was in production. What is rolled back already stays: a second run does
    not go further back; name a deployment for that.'
  - 'A rollback moves domains, and nothing else: the warnings name what it does not restore,
    with the environment variables that were changed since that deployment was built. New deployments
    get no production domains until C(vercel_promote), or a new C(vercel_deploy), ends the rollback.'
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
  url:
    description:
      - The page that visitors see, looked at afterwards; without it, the first of the project's
        production domains.
      - Http or https URL.
    type: str
  contains:
    description:
      - Text that must stand in that page.
    type: str
  verified:
    description:
      - Whether the page is looked at.
    type: bool
    default: true
  page_wait:
    description:
      - Seconds within which the page must be right afterwards.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1m
  deployment:
    description:
      - 'The deployment to go back to: its id or URL.'
      - 'Deployment: its id (dpl_...) or URL.'
    type: str
  reason:
    description:
      - Why, for those who look at the project.
      - Reason.
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
- name: Point production back at the deployment that was there before, or at a named one
  opslib.runbook.vercel_rollback:
    project: dashboard
- name: Point production back at the deployment that was there before, or at a named one, with
    parameters
  opslib.runbook.vercel_rollback:
    project: dashboard
    team: acme
    url: https://dashboard.example.com
    deployment: dpl_7Gw5ZMBvQA8h9GF832KGp7nwbuh3
    reason: errors after the release
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(from), C(to) (ids), C(url), C(not_restored), C(changed_variables). Source:
    https://vercel.com/docs/instant-rollback'
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
