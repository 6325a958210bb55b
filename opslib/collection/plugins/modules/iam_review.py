# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_review
short_description: Find what should not be in an account's IAM. Changes nothing
version_added: 0.1.0
description:
  - 'high: root with an access key or without a second factor; C(no_mfa), a password without
    a second factor; C(wildcard_policy), a policy that is in force and allows everything, or
    everything of IAM and its like, on all resources; C(open_role), which anyone on AWS may
    assume. medium: C(old_key), C(unused_key), C(unused_password), C(root_used), policies that
    allow everything of a service on all its resources. low: C(two_keys), C(unused_role), wide
    policies that nobody has, those that allow on all resources but some, and C(unused_services)
    of who holds wide ones.'
  - 'Of actions only wildcards for all of a service are judged: what a list of them allows is
    for people to read. A permissions boundary, a service control policy or a denial elsewhere
    may take back what is found here. What could not be asked is said. The credential report
    may be four hours old; AWS remembers the use of roles and services for 400 days. IAM is
    the same in all regions; O(region) decides which partition is asked.'
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
  key_age:
    description:
      - Seconds after which an access key is old.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 90d
  unused:
    description:
      - Seconds after which a key, password or role is unused.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 90d
  accept:
    description:
      - Findings that are as they should be, as KIND:SUBJECT with * and ?.
      - List of pattern.
    type: list
    elements: str
    default: []
  fail_on:
    description:
      - The least severity of a finding that fails the task.
    type: str
    default: high
    choices:
      - high
      - medium
      - low
      - never
  last_accessed:
    description:
      - Of how many holders of wide policies to ask which services they used; each takes AWS
        some seconds.
      - Whole number from 0 to 500.
    type: int
    default: 20
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
- name: Find what should not be in an account's IAM. Changes nothing
  opslib.runbook.iam_review:
    account: '123456789012'
    region: us-east-1
- name: Find what should not be in an account's IAM. Changes nothing, with parameters
  opslib.runbook.iam_review:
    account: '123456789012'
    region: us-east-1
    accept:
      - wildcard_policy:policy AdministratorAccess
      - unused_role:role ci-*
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(findings), each with C(severity), C(kind), C(subject) and C(text); C(counts)
    by severity; C(accepted), how many C(accept) covers; C(not_asked); C(report_age) in seconds.
    Sources: "Get credential reports for your AWS account", "Refine permissions in AWS using
    last accessed information" and "Security best practices in IAM" in the IAM user guide.'
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
