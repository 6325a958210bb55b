# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: secret_rotation
short_description: Replace a secret of Secrets Manager or the Parameter Store that is too old,
  and prove the new one
version_added: 0.1.0
description:
  - 'The new value is staged beside the old one, and proven: by O(check_command), which gets
    it on standard input, and by O(checks), tasks of opslib such as C(http_check) with C({secret})
    where it belongs. Then it is put in force, and O(consumers) take it up: tasks such as C(container_restart),
    and C(http_check) to see that all is well. When a proof fails, it is withdrawn; when a consumer
    fails, the old value is put in force again and the consumers run once more. Only then is
    it confirmed. A run that was cut short is gone on with by the next. No value is ever shown,
    and none stands in an argument vector, an environment or a file.'
  - In Secrets Manager the staged value is AWSPENDING and, to be known as ours, C(opslib-pending);
    the old one stays AWSPREVIOUS for O(grace), and what somebody else has staged is left alone.
    In the Parameter Store it is a parameter beside the secret, named C(NAME.opslib-pending),
    and the old one stays in the history with the label C(previous). Secrets that Secrets Manager
    rotates with a function of its own are left alone.
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
  secret:
    description:
      - The secret.
      - Name or ARN of a secret.
    type: str
    required: true
  store:
    description:
      - Where it is kept.
    type: str
    default: secrets_manager
    choices:
      - secrets_manager
      - parameter_store
  member:
    description:
      - Of a JSON object, the member to replace; the others stay.
      - Name of a member.
    type: str
  max_age:
    description:
      - Seconds after which it is replaced.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 30d
  not_before:
    description:
      - 'Replace it, too, if it was made before this moment: that of an incident.'
      - Moment with its zone, such as 2026-11-27T09:00:00Z.
    type: str
  value:
    description:
      - The new value, from a vault; it is put in force whenever another is. Without it, one
        is made.
      - Secret.
    type: str
  length:
    description:
      - Characters of a value that is made.
      - Whole number from 1 to 4096.
    type: int
    default: 64
  alphabet:
    description:
      - What it is made of.
    type: str
    default: letters
    choices:
      - letters
      - url
      - hex
      - signs
  check_command:
    description:
      - A program that ends with 0 if the value on its standard input is good.
      - List of argument.
    type: list
    elements: str
  check_timeout:
    description:
      - Seconds that the program may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1m
  checks:
    description:
      - Tasks that prove the new value before it is put in force; {secret} in their parameters
        stands for it.
      - List of tasks, each with task and args.
    type: list
    elements: dict
    default: []
  consumers:
    description:
      - Tasks to run once it is in force; account, region and profile are those of this task
        unless given.
      - List of tasks, each with task and args.
    type: list
    elements: dict
    default: []
  unproven:
    description:
      - Put it in force without any check or consumer.
    type: bool
    default: false
  grace:
    description:
      - Seconds after which the previous value is let go; without it, when the next comes.
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
- name: Replace a secret of Secrets Manager or the Parameter Store that is too old
  opslib.runbook.secret_rotation:
    account: '123456789012'
    region: us-east-1
    secret: spendsense/jwt
    checks:
      - task: http_check
        args:
          url: https://api.example.com/me
          request_headers:
            Authorization: Bearer {secret}
- name: Replace a secret of Secrets Manager or the Parameter Store that is too old, with parameters
  opslib.runbook.secret_rotation:
    account: '123456789012'
    region: us-east-1
    secret: spendsense/jwt
    checks:
      - task: http_check
        args:
          url: https://api.example.com/me
          request_headers:
            Authorization: Bearer {secret}
    consumers:
      - task: container_restart
        args:
          service: spendsense-api
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(secret), C(store), C(version), C(age) (seconds), C(pending), C(previous) (versions
    or null). Sources: "Rotate AWS Secrets Manager secrets" in its user guide; PutParameter
    in the API reference of Systems Manager.'
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
