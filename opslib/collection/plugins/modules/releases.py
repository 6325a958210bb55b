# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: releases
short_description: Tell which release of an application is in place, and fail when it is not
  what was deployed
version_added: 0.1.0
description:
  - Nothing is changed. It fails when a run was cut short and has left something half-done,
    when a checkout has local changes or something else (code, the unit file) was put in place
    by hand, when nothing was ever deployed, and when the unit is down.
author:
  - opslib contributors (@opslib)
options:
  app:
    description:
      - Name of the application; its releases are recorded under it.
      - Name.
    type: str
    required: true
  path:
    description:
      - 'Folder of the application: of its releases, with the link C(current) to the one in
        place; or its checkout.'
      - Absolute path.
    type: path
    required: true
  strategy:
    description:
      - A folder and an environment for each release, switched in one step; or one checkout
        that is changed.
    type: str
    default: releases
    choices:
      - releases
      - in_place
  unit:
    description:
      - Unit to restart and watch.
      - Systemd unit name.
    type: str
  user:
    description:
      - User that git, pip and migrations run as; the owner of path, if not given.
      - User name.
    type: str
  subfolder:
    description:
      - Folder of the repository in which the application lies.
      - Path within the repository.
    type: str
    default: ''
  venv:
    description:
      - Virtual environment, relative to the application.
      - Name of a folder.
    type: str
    default: venv
  unit_file:
    description:
      - 'The unit''s file, from the repository''s top: installed with the release, and back
        with the one before.'
      - Path within the repository.
    type: str
  records:
    description:
      - Folder in which releases are recorded, for its owner only.
      - Absolute path.
    type: path
    default: /var/lib/opslib/releases
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
    support: full
  bypass_host_loop:
    support: none
  check_mode:
    support: full
  connection:
    support: full
  delegation:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: posix
requirements:
  - opslib on the controller
  - Python 3.8 or newer on the host
"""

EXAMPLES = r"""
---
- name: Tell which release of an application is in place
  opslib.runbook.releases:
    app: dashboard
    path: /srv/dashboard
- name: Tell which release of an application is in place, with parameters
  opslib.runbook.releases:
    app: dashboard
    path: /srv/dashboard
    unit: dashboard
    user: dashboard
    subfolder: python-service
    venv: .venv
    unit_file: deploy/dashboard.service
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'as C(deploy). Sources: readlink(2), git-status(1).'
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
