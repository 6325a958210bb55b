# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: container_autoscaling
short_description: Set how few and how many instances a service may have, and what makes there
  be more
version_added: 0.1.0
description:
  - App Runner keeps that in configurations of their own, which have numbered revisions and
    never change. The newest revision of O(configuration) with just these settings is used;
    if there is none, it is made. ECS Express Mode keeps it with the service. What is not given
    stays as it is.
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
      - 'The service: its name (on ECS C(cluster/name), else the cluster C(default) is meant),
        or its ARN.'
      - Name or ARN of a service.
    type: str
    required: true
  platform:
    description:
      - 'Where it runs: AWS App Runner, or Amazon ECS Express Mode.'
    type: str
    default: app_runner
    choices:
      - app_runner
      - ecs_express
  min_size:
    description:
      - Instances that there always are.
      - Whole number from 1 to 1000.
    type: int
    required: true
  max_size:
    description:
      - Instances that there may be.
      - Whole number from 1 to 1000.
    type: int
    required: true
  configuration:
    description:
      - Name of the configuration on App Runner, 4 characters or more; the service's name if
        none is given.
      - Name of an auto scaling configuration.
    type: str
  concurrency:
    description:
      - Requests at once that one instance takes before there are more (App Runner).
      - Whole number from 1 to 200.
    type: int
  metric:
    description:
      - What decides how many there are (ECS).
    type: str
    choices:
      - AVERAGE_CPU
      - AVERAGE_MEMORY
      - REQUEST_COUNT_PER_TARGET
  target:
    description:
      - 'At which value the metric is kept (ECS): percent, or requests.'
      - Whole number from 1 to 100000.
    type: int
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
- name: Set how few and how many instances a service may have
  opslib.runbook.container_autoscaling:
    account: '123456789012'
    region: us-east-1
    service: spendsense-api
    min_size: 1
    max_size: 5
- name: Set how few and how many instances a service may have, with parameters
  opslib.runbook.container_autoscaling:
    account: '123456789012'
    region: us-east-1
    service: spendsense-api
    min_size: 1
    max_size: 5
    configuration: spendsense
    concurrency: 80
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'as C(container_deploy), with C(scaling) in full. Sources: CreateAutoScalingConfiguration
    in App Runner''s API reference, ExpressGatewayScalingTarget in ECS''s.'
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
