# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: slo
short_description: Judge latency, error rate and uptime of a service by its metrics, and whether
  it needs more room
version_added: 0.1.0
description:
  - 'The metrics are those of an App Runner service, or any others (of a load balancer before
    ECS, say) that O(metrics) names. The error rate is computed here, from the numbers of requests
    and of errors. Latency, error rate and load are those of O(window), uptime that of O(uptime_window):
    a period of it counts as down when O(down_share) of its requests failed; periods without
    requests count as nothing, so that an outage in which no request arrives is only seen by
    a C(probe) (a canary''s success in percent). CPU or memory above its limit does not fail
    the task: it says to scale.'
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
  service:
    description:
      - The App Runner service.
      - App Runner service, by name or ARN.
    type: str
  metrics:
    description:
      - Metrics in place of the service's, by the part they play; factor makes them milliseconds
        or percent.
      - 'Mapping of latency, requests, errors, cpu, memory, probe to metrics: namespace, name,
        dimensions, factor.'
    type: dict
    default: {}
  window:
    description:
      - Seconds back from now to judge latency, errors and load by.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1h
  uptime_window:
    description:
      - Seconds back from now to judge uptime by.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 30d
  latency:
    description:
      - Milliseconds that the latency's percentile must stay below.
      - Number from 0.001 to 1000000000000000.0.
    type: float
    default: 500.0
  percentile:
    description:
      - The statistic of the latency that is judged.
      - 'Statistic: Average, Sum, Minimum, Maximum, SampleCount, or a percentile such as p95.'
    type: str
    default: p95
  error_rate:
    description:
      - Percent of requests that the failed ones must stay below.
      - Percentage from 0 to 100.
    type: float
    default: 1
  uptime:
    description:
      - Percent of the time in which it must have answered.
      - Percentage from 0 to 100.
    type: float
    default: 99.9
  down_share:
    description:
      - Percent of a period's requests that must fail for it to be down.
      - Percentage from 0 to 100.
    type: float
    default: 50
  cpu:
    description:
      - Percent of the CPU above which to scale.
      - Percentage from 0 to 100.
    type: float
    default: 70
  memory:
    description:
      - Percent of the memory above which to scale.
      - Percentage from 0 to 100.
    type: float
    default: 80
  judge:
    description:
      - What to judge.
    type: list
    elements: str
    default:
      - latency
      - errors
      - uptime
      - load
    choices:
      - latency
      - errors
      - uptime
      - load
  strict:
    description:
      - Fail when one of them is unknown, too.
    type: bool
    default: false
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
- name: Judge latency, error rate and uptime of a service by its metrics
  opslib.runbook.slo:
    account: '123456789012'
    region: us-east-1
    service: spendsense-api
- name: Judge latency, error rate and uptime of a service by its metrics, with parameters
  opslib.runbook.slo:
    account: '123456789012'
    region: us-east-1
    service: spendsense-api
    metrics:
      probe:
        namespace: CloudWatchSynthetics
        name: SuccessPercent
        dimensions:
          CanaryName: api-health
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(levels), each with C(name), C(value), C(target), C(unit), C(verdict) (met,
    missed, unknown) and C(note); C(scale) (whether to); C(window) and C(uptime_window) in seconds.
    It fails when a promise was not kept, when nothing is known at all, and with C(strict) when
    one is unknown. Sources: "Viewing App Runner service metrics" in the developer guide of
    App Runner; GetMetricData in the API reference of CloudWatch.'
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
