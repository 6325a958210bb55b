# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudwatch_logs
short_description: Read events of CloudWatch log groups, and tell them at once, in messages
  rather than in the result
version_added: 0.1.0
description:
  - 'mode: C(tail) reads the newest events of all streams; C(search) those of a time window;
    C(follow) the newest, and then every event as it comes, each once, until the run is stopped.
    Levels, expressions and fields are judged here, as the task C(logs) judges them on hosts:
    the service''s own filter patterns know less. An event is an entry, as the service holds
    it; nothing joins the lines of a traceback that were sent as single events. Nothing is changed.'
  - 'Messages: C(group) (as it was asked for) with C(entries), a list of C(source) (the stream),
    C(time) (seconds since 1970), C(level) (null if unknown), C(text) and C(cut); C(note), a
    remark in words.'
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
  account:
    description:
      - The account that must be worked in; any other is refused.
      - AWS account number of 12 digits, in quotes.
    type: str
    required: true
  region:
    description:
      - The region to work in.
      - AWS region such as eu-west-1.
    type: str
    required: true
  profile:
    description:
      - A profile of the AWS configuration files to use.
      - Profile name.
    type: str
  groups:
    description:
      - Log groups, or App Runner services whose logs are wanted; by name or ARN.
      - List of log group or App Runner service, by name or ARN.
    type: list
    elements: str
    required: true
  part:
    description:
      - 'Of an App Runner service: what its program writes, or what App Runner says of deployments.'
    type: str
    default: application
    choices:
      - application
      - service
  mode:
    description:
      - What to read.
    type: str
    default: tail
    choices:
      - tail
      - search
      - follow
  lines:
    description:
      - Tell at most so many entries that are there already, the newest.
      - Whole number from 0 to 100000.
    type: int
    default: 100
  since:
    description:
      - Leave out what is older than this many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  until:
    description:
      - Leave out what is younger than this many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '0'
  levels:
    description:
      - Only entries of these levels.
      - List of log level.
    type: list
    elements: str
    default: []
  match:
    description:
      - Only entries in which this regular expression is found.
      - Regular expression.
    type: str
  fields:
    description:
      - Only JSON entries whose members, by name or dotted path, have these values.
      - Mapping.
    type: dict
    default: {}
  pattern:
    description:
      - A pattern in the service's own language on top, to have it send less; it is case-sensitive.
      - Filter pattern of CloudWatch Logs.
    type: str
  longest:
    description:
      - Characters to tell of an entry.
      - Whole number from 20 to 16384.
    type: int
    default: 4096
  masked:
    description:
      - Put *** in place of what looks like a password, token or key.
    type: bool
    default: true
  lasting:
    description:
      - Follow for this many seconds; without an end if not given.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  lag:
    description:
      - Seconds after its own time within which an event becomes visible; what follow sees later
        may be missed.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1m
  read_limit:
    description:
      - Bytes to read at most of what is there already.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 256M
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
- name: Read events of CloudWatch log groups
  opslib.runbook.cloudwatch_logs:
    account: '123456789012'
    region: us-east-1
    groups:
      - spendsense-api
- name: Read events of CloudWatch log groups, with parameters
  opslib.runbook.cloudwatch_logs:
    account: '123456789012'
    region: us-east-1
    groups:
      - spendsense-api
    since: 1h
    pattern: '"connection refused"'
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(groups) (names by what was asked for), C(count) of entries told, C(matched),
    C(read) (events), C(missing) (in words). Errors: none of the groups is there. Source: FilterLogEvents
    in the API reference of CloudWatch Logs.'
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
