# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: vercel_logs
short_description: Read what functions logged for requests to a project, or the log of a build
version_added: 0.1.0
description:
  - Request logs come through Vercel's command line, for no documented API gives them; build
    logs through the API.
  - 'Sources: https://vercel.com/docs/cli/logs, https://vercel.com/docs/rest-api/deployments/get-deployment-events'
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
  kind:
    description:
      - Which log.
    type: str
    default: requests
    choices:
      - requests
      - build
  deployment:
    description:
      - 'Of which deployment: its id or URL; without it, what is in production.'
      - 'Deployment: its id (dpl_...) or URL.'
    type: str
  lines:
    description:
      - How many to read at most.
      - Whole number from 1 to 5000.
    type: int
    default: 100
  since:
    description:
      - How far back to read request logs, in seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1h
  levels:
    description:
      - Only requests that logged at one of these.
    type: list
    elements: str
    default: []
    choices:
      - info
      - warning
      - error
      - fatal
  search:
    description:
      - Only requests in whose log this stands.
      - Text to search for.
    type: str
  masked:
    description:
      - Put *** in place of what looks like a password, token or key.
    type: bool
    default: true
  program:
    description:
      - 'Vercel''s command line: name or path.'
      - 'Program: a name or a path.'
    type: str
    default: vercel
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
- name: Read what functions logged for requests to a project, or the log of a build
  opslib.runbook.vercel_logs:
    project: dashboard
- name: Read what functions logged for requests to a project, or the log of a build, with parameters
  opslib.runbook.vercel_logs:
    project: dashboard
    team: acme
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(deployment), C(lines), each with C(time) (seconds since 1970), C(level), C(text)
    and, for requests, C(method), C(path), C(status), C(source); C(count), C(levels) and C(statuses)
    (how many of each), C(full) (whether there may be more).
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
