# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudwatch_dashboard
short_description: 'Keep a dashboard as it is written down: given whole as `body`, or the standard
  one of a service'
version_added: 0.1.0
description:
  - 'The standard one shows what the task C(slo) judges: latency, error rate, requests, load
    and instances, with their targets. A line of text at the bottom marks the dashboard as kept
    by opslib. One that does not bear it is not touched unless O(adopt) says so. Dashboards
    belong to an account as a whole; O(region) is where their metrics are.'
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
  dashboard:
    description:
      - Its name.
      - Name of a dashboard.
    type: str
    required: true
  state:
    description:
      - Whether it is to be there.
    type: str
    default: present
    choices:
      - present
      - absent
  service:
    description:
      - An App Runner service to make the standard one of.
      - App Runner service, by name or ARN.
    type: str
  body:
    description:
      - The dashboard itself.
      - 'Body of a dashboard: a mapping with a list of widgets.'
    type: dict
  adopt:
    description:
      - Overwrite or remove one that opslib did not make, too.
    type: bool
    default: false
  latency:
    description:
      - Milliseconds to mark as the latency's target.
      - Number from 0.001 to 1000000000000000.0.
    type: float
    default: 500.0
  error_rate:
    description:
      - Percent to mark as the error rate's target.
      - Percentage from 0 to 100.
    type: float
    default: 1
  cpu:
    description:
      - Percent to mark as the CPU's limit.
      - Percentage from 0 to 100.
    type: float
    default: 70
  memory:
    description:
      - Percent to mark as the memory's limit.
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
- name: Keep a dashboard as it is written down
  opslib.runbook.cloudwatch_dashboard:
    account: '123456789012'
    region: us-east-1
    dashboard: SpendSense-API
    service: spendsense-api
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(dashboard), C(widgets) (how many), C(ours). The diff shows both bodies. Sources:
    PutDashboard in the API reference of CloudWatch; "Dashboard body structure and syntax" in
    its user guide.'
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
