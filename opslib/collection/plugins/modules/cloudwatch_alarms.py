# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudwatch_alarms
short_description: 'Keep the alarms of one owner as they are written down: create, change, and
  remove what is not written any more'
version_added: 0.1.0
description:
  - 'An alarm''s name is O(prefix) and the key it stands under. Ours are those that bear the
    tag C(opslib:alarms) with the prefix as its value: no other is ever changed or removed,
    unless O(adopt) says so of one that has the name of a wanted one. With O(service) there
    are four more: O(latency), C(error-rate), O(cpu) and O(memory), for what the task C(slo)
    judges it by; one of these keys among O(alarms) takes their place.'
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
  prefix:
    description:
      - What their names begin with.
      - Beginning of names.
    type: str
    required: true
  alarms:
    description:
      - What they are, by the rest of their names.
      - Mapping of names to alarms, each with some of namespace, metric, dimensions, statistic,
        period, unit, expression, metrics, threshold, comparison, periods, breaching, missing,
        description, enabled, actions, ok_actions, no_data_actions.
    type: dict
    default: {}
  service:
    description:
      - An App Runner service to have the usual alarms for.
      - App Runner service, by name or ARN.
    type: str
  actions:
    description:
      - ARNs of what to tell in alarm, where an alarm does not name its own.
      - List of ARN.
    type: list
    elements: str
    default: []
  ok_actions:
    description:
      - The same for the end of an alarm.
      - List of ARN.
    type: list
    elements: str
    default: []
  adopt:
    description:
      - Take over alarms of these names that are not ours.
    type: bool
    default: false
  latency:
    description:
      - Milliseconds at which p95 of a service is an alarm.
      - Number from 0.001 to 1000000000000000.0.
    type: float
    default: 500.0
  error_rate:
    description:
      - Percent of failed requests at which there is one.
      - Percentage from 0 to 100.
    type: float
    default: 1
  cpu:
    description:
      - Percent of the CPU above which there is one.
      - Percentage from 0 to 100.
    type: float
    default: 70
  memory:
    description:
      - Percent of the memory above which there is one.
      - Percentage from 0 to 100.
    type: float
    default: 80
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
- name: Keep the alarms of one owner as they are written down
  opslib.runbook.cloudwatch_alarms:
    account: '123456789012'
    region: us-east-1
    prefix: spendsense-
- name: Keep the alarms of one owner as they are written down, with parameters
  opslib.runbook.cloudwatch_alarms:
    account: '123456789012'
    region: us-east-1
    prefix: spendsense-
    alarms:
      no-requests:
        namespace: AWS/AppRunner
        metric: Requests
        dimensions:
          ServiceName: spendsense-api
        statistic: Sum
        threshold: 1
        comparison: <
        period: 5m
        missing: breaching
    service: spendsense-api
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(alarms): C(wanted), C(ours), C(others) (names; others begin with the prefix,
    too). The diff shows all that is set. Source: PutMetricAlarm in the API reference of CloudWatch.'
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
