# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudwatch_metrics
short_description: Tell the values of a metric over a time, and draw them
version_added: 0.1.0
description:
  - 'A metric is its namespace, its name and exactly its dimensions; for those of an App Runner
    service as a whole, O(service) stands for namespace and dimensions. The chart is drawn here,
    with Matplotlib for C(.png), with nothing for C(.html); the file is new or as before, and
    readable by its owner only. Drawing is an act: it is done on every run.'
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
  metric:
    description:
      - The metric.
      - Name of a metric.
    type: str
    required: true
  service:
    description:
      - An App Runner service whose metric it is.
      - App Runner service, by name or ARN.
    type: str
  namespace:
    description:
      - The namespace, where it is no service's.
      - Namespace of metrics.
    type: str
  dimensions:
    description:
      - All its dimensions, where it is no service's.
      - Mapping of names to text.
    type: dict
    default: {}
  statistics:
    description:
      - What to tell of each period.
      - 'List of statistic: Average, Sum, Minimum, Maximum, SampleCount, or a percentile such
        as p95.'
    type: list
    elements: str
    default:
      - Average
  unit:
    description:
      - Only values that were put with this unit.
      - Unit.
    type: str
  since:
    description:
      - 'Where the time begins: so many seconds ago.'
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 3h
  until:
    description:
      - 'Where it ends: so many seconds ago.'
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '0'
  period:
    description:
      - Seconds that one value stands for; if not given, what makes some hundred values.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  chart:
    description:
      - A file to draw to, .html or .png.
      - Absolute path.
    type: path
  title:
    description:
      - What stands above the chart.
      - Title.
    type: str
  target:
    description:
      - A value to draw a line at.
      - Number from -1000000000000000.0 to 1000000000000000.0.
    type: float
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
- name: Tell the values of a metric over a time
  opslib.runbook.cloudwatch_metrics:
    account: '123456789012'
    region: us-east-1
    metric: RequestLatency
    service: spendsense-api
- name: Tell the values of a metric over a time, with parameters
  opslib.runbook.cloudwatch_metrics:
    account: '123456789012'
    region: us-east-1
    metric: RequestLatency
    service: spendsense-api
    statistics:
      - p50
      - p95
    since: 1d
    chart: /srv/latency.html
    target: 500
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(namespace), C(metric), C(dimensions), C(period) (seconds), C(begin), C(end)
    (seconds since 1970) and C(series): by statistic C(points) (pairs of time and value, the
    oldest first), C(newest), C(average), C(least) and C(greatest). Sources: GetMetricData in
    the API reference of CloudWatch; "Viewing App Runner service metrics" in the developer guide
    of App Runner.'
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
