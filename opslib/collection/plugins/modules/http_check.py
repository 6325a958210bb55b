# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: http_check
short_description: 'Check from the host itself that a URL answers: its status, JSON, text, headers
  and speed'
version_added: 0.1.0
description:
  - It asks until the answer is as it should be, or O(wait) seconds are over, and fails with
    the last answer's fault. TLS certificates are always verified; proxies named in the environment
    are never used; redirects are followed only as far as O(redirects) allows, never from https
    to http, and request headers do not go along to another host. No more than O(max_size) bytes
    are read, and O(timeout) covers an attempt as a whole, however slowly a server drips.
  - 'Secrets (request headers beside the likes of Accept and Host) are masked wherever a server
    echoes them. Sources: RFC 9110, RFC 9112.'
author:
  - opslib contributors (@opslib)
options:
  url:
    description:
      - URL to ask, as seen from the host.
      - Http or https URL.
    type: str
    required: true
  status:
    description:
      - HTTP status that is right, or a list of those that are.
      - HTTP status from 100 to 599, or a list of them.
    type: list
    elements: int
    default:
      - 200
  method:
    description:
      - Request method.
    type: str
    default: GET
    choices:
      - GET
      - HEAD
  json:
    description:
      - 'What the JSON answer must hold: names it must have with these values, at any depth;
        others may be there too.'
      - Mapping.
    type: dict
  contains:
    description:
      - Text that must stand in the answer's body.
    type: str
  absent:
    description:
      - Text that must not stand in the answer's body.
    type: str
  header:
    description:
      - Headers that the answer must have, with text that each must contain, in upper or lower
        case.
      - Mapping of HTTP header names to values.
    type: dict
    default: {}
  request_headers:
    description:
      - Headers to send, such as Authorization or Host; never shown.
      - Mapping of HTTP header names to values.
    type: dict
    default: {}
  max_latency:
    description:
      - Longest time in seconds that a good answer may take as a whole.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  timeout:
    description:
      - Seconds after which one attempt is given up.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '10'
  wait:
    description:
      - 'Seconds in total to go on trying until the answer is right; 0: one attempt.'
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '0'
  interval:
    description:
      - Seconds between two attempts.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '1'
  redirects:
    description:
      - How many redirects to follow.
      - Whole number from 0 to 20.
    type: int
    default: 0
  max_size:
    description:
      - Longest body in bytes; a longer one is a failure.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: '1048576'
  ca_file:
    description:
      - PEM file on the host with the authorities to trust instead of the system's.
      - Absolute path.
    type: path
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
- name: Check from the host itself that a URL answers
  opslib.runbook.http_check:
    url: http://127.0.0.1:8000/health
- name: Check from the host itself that a URL answers, with parameters
  opslib.runbook.http_check:
    url: http://127.0.0.1:8000/health
    status:
      - 200
      - 204
    json:
      status: healthy
      database:
        connected: true
    contains: Welcome
    absent: Traceback
    header:
      Content-Type: application/json
    request_headers:
      Authorization: Bearer {{ health_token }}
    max_latency: 2s
    timeout: 5s
    wait: 1m
    max_size: 5M
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(url) (of the last answer), C(redirects) (the URLs before it), C(address),
    C(status), C(content_type), C(size_bytes) (of the body, as far as read), C(connect_seconds)
    (until connected, with name lookup and TLS), C(first_byte_seconds), C(total_seconds) (each
    from the attempt''s beginning), C(attempts), C(waited_seconds), C(excerpt) (the body''s
    first 300 characters) and, on failure, C(problem): name, refused, unreachable, timeout,
    tls, closed, protocol, redirect, status, header, html, json, text, size or slow.'
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
