# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: notify
short_description: 'Tell channels something: Slack, mail, PagerDuty, webhooks, and whatever
  else apprise knows'
version_added: 0.1.0
description:
  - The channels are one mapping, in the inventory or in a TOML file; each has a URL, and labels
    by which some are chosen. C(${NAME}) in a URL, or in place of one, stands for a variable
    of the environment; other secrets come from a vault. No part of a URL is ever shown. In
    check mode it is said who would be told.
  - 'A channel that fails, or cannot be used, never fails the step: it is a warning, and stands
    in the data.'
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
  title:
    description:
      - What it is about, in one line.
      - Title.
    type: str
    required: true
  body:
    description:
      - What there is to say.
    type: str
    default: ''
  level:
    description:
      - How it is meant.
    type: str
    default: info
    choices:
      - info
      - success
      - warning
      - failure
  channels:
    description:
      - 'The channels by name: a URL, or a mapping of C(url) and C(labels).'
      - Mapping of names to URLs of channels.
    type: dict
    default: {}
  file:
    description:
      - TOML file on the controller with tables [channels.NAME], instead.
      - Absolute path.
    type: path
  to:
    description:
      - Names or labels of the channels to tell; all of them if empty.
      - List of channel or label.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds after which a channel is given up.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '15'
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
- name: Tell channels something
  opslib.runbook.notify:
    title: Deployment of the dashboard
    channels:
      ops:
        url: slack://${SLACK_TOKEN}/#ops
        labels:
          - oncall
- name: Tell channels something, with parameters
  opslib.runbook.notify:
    title: Deployment of the dashboard
    body: Version 1.4.2 is in production.
    channels:
      ops:
        url: slack://${SLACK_TOKEN}/#ops
        labels:
          - oncall
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(channels) (names, with the service), C(deliveries), each with C(channel),
    C(service), C(delivered), C(trouble), C(seconds). Source: https://github.com/caronc/apprise/wiki'
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
