# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollback
short_description: Go back to the release before the one in place, or to the one that is named;
  and undo that when it fails
version_added: 0.1.0
description:
  - 'Nothing is fetched or built (but for C(in_place), where an environment that is no longer
    kept is built from the locked packages that were recorded): the release''s code and environment
    come into place in one step, the unit is restarted, must stay up for O(settle) seconds with
    its O(port) and its answer, and is watched for O(watch) seconds more. If it does not work,
    the release that served comes back, and the step fails.'
  - 'Without O(to) it takes back the last deployment. After a rollback, or a deployment that
    was undone by itself, there is nothing to take back, so a second run changes nothing; O(to)
    goes further back. The schema stays as it is, unless O(migrate_down) is given: it runs first,
    in the newer release.'
  - 'Errors: no earlier release, one that is no longer on the host (deploy its ref instead),
    one that does not work. Sources: rename(2), the manuals of venv and pip.'
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
  port:
    description:
      - TCP port that one of the unit's own processes must listen on.
      - Port from 1 to 65535.
    type: int
  http:
    description:
      - URL that must answer 200, or a mapping of the parameters of http_check.
      - URL, or mapping of the parameters of http_check.
    type: raw
  settle:
    description:
      - Seconds that the unit must stay up after its restart before it counts as good.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '3'
  start_timeout:
    description:
      - Seconds within which the unit must be up, with its port and its answer.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '90'
  watch:
    description:
      - 'Seconds to go on watching: a crash, a restart or two bad answers in a row undo the
        release.'
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '0'
  env_file:
    description:
      - Environment file (systemd's form) whose variables migrations get; never shown.
      - Absolute path.
    type: path
  migrate:
    description:
      - Command that brings the schema up, as a list of words; run in the new release, with
        its environment.
      - List of word.
    type: list
    elements: str
    default: []
  migrate_down:
    description:
      - Command that takes the schema back; run in the newer release. Without it the schema
        stays as it is.
      - List of word.
    type: list
    elements: str
    default: []
  python:
    description:
      - Python to make virtual environments with.
      - Program.
    type: str
    default: python3
  find_links:
    description:
      - Folder or page with packages for pip.
      - Absolute path or https URL.
    type: str
  index_url:
    description:
      - Package index for pip; without credentials.
      - Http or https URL.
    type: str
  no_index:
    description:
      - Have pip use find_links only.
    type: bool
    default: false
  timeout:
    description:
      - 'Seconds for each single program: git, pip, a migration.'
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 15m
  to:
    description:
      - 'Release to go to: its name, the ref it was deployed from, or its commit (7 digits or
        more).'
      - Release's name, tag, branch or commit.
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
- name: Go back to the release before the one in place, or to the one that is named
  opslib.runbook.rollback:
    app: dashboard
    path: /srv/dashboard
- name: Go back to the release before the one in place, or to the one that is named, with parameters
  opslib.runbook.rollback:
    app: dashboard
    path: /srv/dashboard
    unit: dashboard
    user: dashboard
    subfolder: python-service
    venv: .venv
    unit_file: deploy/dashboard.service
    port: 8000
    http:
      url: http://127.0.0.1:8000/health
      json:
        status: healthy
    watch: 1m
    env_file: /etc/dashboard.env
    migrate:
      - python
      - migrate.py
    migrate_down:
      - python
      - migrate.py
      - --to
      - '2'
    python: /usr/bin/python3.11
    find_links: /srv/wheels
    timeout: 1h
    to: v1.3.0
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'as C(deploy), with C(target): the release to go to.'
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
