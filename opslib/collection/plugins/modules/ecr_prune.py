# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: ecr_prune
short_description: Delete old images from a repository of ECR
version_added: 0.1.0
description:
  - 'Kept are: the newest O(keep_last) that have a tag, what has a tag that matches O(keep_tags),
    what is younger than O(younger), and what is O(deployed); each with what belongs to it:
    the parts of an index, signatures and other attachments. All else goes. The plan lists each
    image. What is deployed must be said, if only as an empty list; when one of those is not
    in the repository, nothing is deleted. Right before an image is deleted it is looked at
    again: one that was tagged otherwise meanwhile fails the step.'
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
  repository:
    description:
      - The repository.
      - Repository name such as team/api.
    type: str
    required: true
  deployed:
    description:
      - 'What runs now or must be there for a rollback: digests, tags or addresses.'
      - List of digest, tag, or address of an image that ends in one of them.
    type: list
    elements: str
    required: true
  keep_last:
    description:
      - How many of the newest images with a tag stay.
      - Whole number from 1 to 10000.
    type: int
    default: 10
  keep_tags:
    description:
      - Patterns; an image with a tag that matches stays.
      - List of file name pattern.
    type: list
    elements: str
    default: []
  younger:
    description:
      - Age in seconds up to which images stay.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 7d
  most:
    description:
      - Refuse to act when more images than this would go.
      - Whole number from 1 to 10000.
    type: int
    default: 200
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
- name: Delete old images from a repository of ECR
  opslib.runbook.ecr_prune:
    account: '123456789012'
    region: us-east-1
    repository: spendsense-api
    deployed:
      - v41
      - v42
- name: Delete old images from a repository of ECR, with parameters
  opslib.runbook.ecr_prune:
    account: '123456789012'
    region: us-east-1
    repository: spendsense-api
    deployed:
      - v41
      - v42
    keep_tags:
      - release-*
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(kept) (C(digest), C(tags), C(why)), at most 100; C(deleted), C(deleted_bytes):
    what this run deleted. Errors: there is no such repository; more than C(most) images would
    go. Source: BatchDeleteImage in the API reference of ECR.'
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
