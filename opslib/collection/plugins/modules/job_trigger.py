# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: job_trigger
short_description: Start a scheduled job now by a POST to `url`, and follow it on the scheduler's
  page until it has ended
version_added: 0.1.0
description:
  - 'It is an act, not a state: each run starts the job anew. The run is found by the number
    that the answer names (C(run_id) or C(id)), else it is the job''s first run begun since.
    It fails when the job fails, when it has not ended after O(wait), or when the service refuses:
    no such job, no valid credentials, or the job runs already. Without O(history_url) the answer
    is all there is to see, and counts as the job''s success.'
  - 'Secrets among the request''s headers are masked. Source: RFC 9110.'
author:
  - opslib contributors (@opslib)
options:
  job:
    description:
      - Job to start.
      - Job name.
    type: str
    required: true
  url:
    description:
      - URL that starts the job when it is posted to, as seen from the host.
      - Http or https URL.
    type: str
    required: true
  history_url:
    description:
      - Page whose JSON tells of runs, to follow the job on.
      - Http or https URL.
    type: str
  request_headers:
    description:
      - Headers to send with every request, such as Authorization; never shown.
      - Mapping of HTTP header names to values.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds that one request may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '10'
  wait:
    description:
      - Seconds within which the job must end.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 10m
  interval:
    description:
      - Seconds between two looks at the page.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '1'
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
- name: Start a scheduled job now by a POST to `url`
  opslib.runbook.job_trigger:
    job: anthropic_collection
    url: http://127.0.0.1:8000/api/scheduler/trigger/anthropic_collection
- name: Start a scheduled job now by a POST to `url`, with parameters
  opslib.runbook.job_trigger:
    job: anthropic_collection
    url: http://127.0.0.1:8000/api/scheduler/trigger/anthropic_collection
    history_url: http://127.0.0.1:8000/health/scheduler
    request_headers:
      Authorization: Bearer {{ scheduler_token }}
    wait: 1h
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(job), C(run) (C(id), C(started_at), C(finished_at), C(status), C(error); before
    the act the last run known, null when there is none), C(followed_seconds); when the service
    refused: C(status), C(problem).'
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
