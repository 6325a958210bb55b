# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: user_forecast
short_description: Ask for a user's forecast by a POST, and tell the reasons for a failure apart
version_added: 0.1.0
description:
  - 'It is an act, done each time: it costs the service a forecast. What may come back: a forecast,
    whose numbers must be numbers; 422 because the user has too few records (C(insufficient_data));
    422 because the request itself is wrong (C(bad_request), with the fields that are); 500
    (C(internal): look at the data, the package and the memory); another status (C(status)),
    and all that http_check tells of answers (O(timeout), C(refused), C(html), C(json), C(size)
    and so on); an answer later than O(max_latency) is C(slow).'
  - 'Secrets among the request''s headers are masked. Sources: RFC 9110; FastAPI''s form of
    a 422.'
author:
  - opslib contributors (@opslib)
options:
  url:
    description:
      - URL to post to.
      - Http or https URL.
    type: str
    required: true
  user:
    description:
      - User whose forecast to ask for.
      - User id.
    type: str
    required: true
  user_field:
    description:
      - Field of the request that names the user.
      - Name of a field.
    type: str
    default: user_id
  fields:
    description:
      - More fields of the request.
      - Mapping.
    type: dict
    default: {}
  request_headers:
    description:
      - Headers to send, such as Authorization; never shown.
      - Mapping of HTTP header names to values.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds that the answer may take at all.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '60'
  max_latency:
    description:
      - Seconds that a good answer may take.
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
- name: Ask for a user's forecast by a POST
  opslib.runbook.user_forecast:
    url: http://127.0.0.1:8000/api/forecast/generate
    user: alice
- name: Ask for a user's forecast by a POST, with parameters
  opslib.runbook.user_forecast:
    url: http://127.0.0.1:8000/api/forecast/generate
    user: alice
    fields:
      horizon_days: 30
    max_latency: 10s
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(user); C(status), C(seconds), C(problem) (null for a forecast), C(detail) (the
    service's words, or null), C(points) (numbers in the answer).
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
