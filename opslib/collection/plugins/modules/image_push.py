# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_push
short_description: Build an image from a git commit, or take one that is built, and push it
  to a registry
version_added: 0.1.0
description:
  - With O(folder) the image is built from the files that are committed there, never from others
    that lie about; it gets labels that tell the commit and how it was built, and the commit's
    hash as its tag unless O(tag) says otherwise. With O(image) one is pushed that the engine
    has. An image that is at the registry under that tag already, built from the same commit
    in the same way (or equal to O(image)), is not pushed again; another one under the same
    tag is an error, unless O(overwrite). After a push the registry is asked for the digest,
    and it must be the one that was pushed.
  - 'With O(account) and O(region) the registry is ECR''s: the credentials of AWS must lead
    to that account, and give a login for twelve hours. Other registries get O(username) and
    O(password), or what C(docker login) left on this machine. A login is given to the engine
    through its socket: it stands in no argument and in no file.'
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
      - 'For ECR: the account that must be worked in; any other is refused.'
      - AWS account number of 12 digits, in quotes.
    type: str
  region:
    description:
      - 'For ECR: the region.'
      - AWS region such as eu-west-1.
    type: str
  profile:
    description:
      - A profile of the AWS configuration files to use.
      - Profile name.
    type: str
  repository:
    description:
      - 'The repository: its name for ECR, its address for other registries.'
      - Repository such as registry.example/team/api.
    type: str
    required: true
  tag:
    description:
      - The tag; the commit's first 12 digits by default.
      - Tag of an image.
    type: str
  folder:
    description:
      - Build from this folder, in a git repository on this machine.
      - Absolute path.
    type: path
  commit:
    description:
      - The commit to build from.
      - Git commit, tag or branch.
    type: str
    default: HEAD
  dockerfile:
    description:
      - The Dockerfile, below the folder.
      - Path below the folder.
    type: str
    default: Dockerfile
  arguments:
    description:
      - 'Arguments of the build; no secrets: they stay in the image.'
      - Mapping of names to text.
    type: dict
    default: {}
  target:
    description:
      - The stage of the Dockerfile to build.
      - Build stage.
    type: str
  platform:
    description:
      - The platform to build for.
      - Platform such as linux/amd64.
    type: str
  image:
    description:
      - Push this image of the engine, instead of building.
      - Image.
    type: str
  overwrite:
    description:
      - Whether another image under the same tag is replaced.
    type: bool
    default: false
  username:
    description:
      - The user at the registry, if it is not ECR.
      - User name.
    type: str
  password:
    description:
      - The password, from a vault.
      - Password.
    type: str
  plain_http:
    description:
      - Whether the registry speaks HTTP; by default only one on this machine does.
    type: bool
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
- name: Build an image from a git commit, or take one that is built
  opslib.runbook.image_push:
    repository: registry.example/spendsense-api
    folder: /srv/src/api
- name: Build an image from a git commit, or take one that is built, with parameters
  opslib.runbook.image_push:
    repository: registry.example/spendsense-api
    tag: v42
    folder: /srv/src/api
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(image) (with its tag), C(digest), C(reference) (the address with the digest,
    to deploy), C(commit); C(bytes) at the registry. Errors: there is no such repository or
    commit; submodules, which do not come with a commit; the build fails (C(log)). It needs
    Docker''s command line for building, and its engine.'
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
