# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: supabase_status
short_description: Say whether a project, its services and its REST interface are healthy
version_added: 0.1.0
description:
  - The management API is asked for the project and its services, with the access token; the
    REST interface, with the service key, for a row of a table, which goes through gateway,
    PostgREST and database. Where one of the two secrets is missing, its part is left out and
    a warning says so; without both it is an error. A service key that says it is for another
    project is refused.
  - 'Source: https://supabase.com/docs/reference/api/v1-get-services-health'
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
  service_key:
    description:
      - Service key, from a vault; else the environment's SUPABASE_SERVICE_KEY or SUPABASE_SERVICE_ROLE_KEY.
      - Access token.
    type: str
  url:
    description:
      - URL of the project; else https:// and its reference, .supabase.co.
      - Http or https URL.
    type: str
  table:
    description:
      - A table or view to read one row of.
      - Table.
    type: str
  services:
    description:
      - Services of the project that must be healthy.
    type: list
    elements: str
    default:
      - auth
      - db
      - pooler
      - realtime
      - rest
      - storage
    choices:
      - auth
      - db
      - pooler
      - realtime
      - rest
      - storage
      - db_postgres_user
      - pg_bouncer
  max_latency:
    description:
      - Seconds that the REST interface may take.
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
- name: Say whether a project, its services and its REST interface are healthy
  opslib.runbook.supabase_status:
    ref: abcdefghijklmnopqrst
- name: Say whether a project, its services and its REST interface are healthy, with parameters
  opslib.runbook.supabase_status:
    ref: abcdefghijklmnopqrst
    table: cost_records
    max_latency: 2s
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(parts), each with C(part), C(state), C(ok) and perhaps C(trouble); C(status)
    (of the project), C(region), C(database_version), C(rest_seconds). It fails when one is
    not healthy, or slower than C(max_latency).
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
