# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: container_state
short_description: Pause an App Runner service, or have it run again; and wait until it is so
version_added: 0.1.0
description:
  - Both take minutes. While it is paused it answers nobody and costs nothing for its instances;
    its configuration and its address stay. ECS Express Mode has no pause.
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
  state:
    description:
      - How the service is to be.
    type: str
    required: true
    choices:
      - running
      - paused
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
- name: Pause an App Runner service, or have it run again
  opslib.runbook.container_state:
    account: '123456789012'
    region: us-east-1
    service: spendsense-api
    state: paused
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'as C(container_deploy). Sources: PauseService and ResumeService in App Runner''s
    API reference.'
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
