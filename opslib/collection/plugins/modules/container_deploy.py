# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: container_deploy
short_description: Deploy an image to a service of App Runner or ECS Express Mode, and see it
  serve
version_added: 0.1.0
description:
  - The image is proven to exist and is deployed by its digest, so that what runs cannot change
    by itself. All else of the service's configuration stays as it is at that moment. A service
    that is busy is waited for. The operation is followed to its end; one that the platform
    rolled back by itself is a failure. Then the public address is asked. The image that served
    before is recorded in the service's tags (C(opslib:previous-image)), for C(container_rollback);
    a deployment that is refused leaves them as they were.
  - With the image in place already nothing is changed, but the public address is still asked.
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
  image:
    description:
      - "The image: C(repository:tag) or C(repository@sha256:\u2026) of the account's own registry,\
        \ or a whole name."
      - Image such as spendsense-api:v42.
    type: str
    required: true
  http:
    description:
      - 'What the public address must answer: a path, a URL, or a mapping of the parameters
        of http_check.'
      - Path or URL, or mapping of the parameters of http_check.
    type: raw
    default:
      url: /health
      status:
        - 200
      method: GET
      header: {}
      request_headers: {}
      timeout: 10
      interval: 1
      redirects: 0
      max_size: 1048576
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
- name: Deploy an image to a service of App Runner or ECS Express Mode
  opslib.runbook.container_deploy:
    account: '123456789012'
    region: us-east-1
    service: spendsense-api
    image: spendsense-api:v42
- name: Deploy an image to a service of App Runner or ECS Express Mode, with parameters
  opslib.runbook.container_deploy:
    account: '123456789012'
    region: us-east-1
    service: spendsense-api
    image: spendsense-api:v42
    http:
      url: /health
      json:
        status: healthy
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(service), C(arn), C(status), C(image), C(url), C(cpu_units), C(memory_mb),
    C(scaling), names of C(variables) and C(secrets), C(digest), C(previous_image), and C(http)
    as http_check''s data. Errors: no such image; paused or broken; rolled back; changed by
    somebody else meanwhile; an address that does not answer as it should. Sources: the API
    references of App Runner, ECS and ECR.'
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
