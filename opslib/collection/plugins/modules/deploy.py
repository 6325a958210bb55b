# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: deploy
short_description: 'Deploy a Python application from git: fetch, build, migrate, switch, restart,
  watch; and undo what fails'
version_added: 0.1.0
description:
  - 'The ref is resolved to a commit before anything changes. With C(strategy: releases) the
    commit gets a folder and a virtual environment of its own below O(path)/releases, and the
    link O(path)/current is replaced in one step; with C(in_place) the checkout at O(path) and
    its environment are changed where they are, a copy of the environment aside. Then the migration
    runs, the release''s O(unit_file) is installed, the unit is restarted, must stay up for
    O(settle) seconds with its O(port) and its answer (O(http)), and is watched for O(watch)
    seconds more. When anything fails the release before comes back by itself: code, environment
    and unit, its file included; the step fails and says so. Without a release before, the unit
    is stopped. A schema is taken back only by O(migrate_down).'
  - 'Each attempt is recorded on the host, in O(records)/O(app)/history.jsonl: commit, ref,
    who, when, outcome, packages. A run that was cut short at any instant is put right by the
    next. One run at a time works on an application. What is deployed already is left alone.
    O(keep) releases stay for C(rollback).'
  - A branch may lead on between the moments at which two hosts ask for it. So with O(pinned)
    a branch is refused unless O(commit) says which of its commits is meant; the error names
    the newest.
  - Nothing the repository says is run but setup code of its packages, migrations and the unit,
    none of it as root when O(path) belongs to another user, or O(user) is given. With O(unit_file)
    the repository does say what systemd runs, and as whom. git uses that user's SSH keys and
    credential helpers, and asks nobody; hooks and Git's remote helpers are not used, and a
    release with submodules or files in Git LFS is refused.
  - 'Errors: a ref that does not exist, is ambiguous, or was rewritten (a forced push, a moved
    tag); a remote that cannot be read; a dirty checkout; packages that cannot be had or do
    not fit together; a failing migration; a full disk; a unit that does not come up, stay up
    or answer; another run at work. Sources: git-ls-remote(1), git-fetch(1), the manuals of
    venv and pip, rename(2), flock(2), setpriv(1).'
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
  repository:
    description:
      - 'Where the code is: an https or ssh address, or a path.'
      - Git repository.
    type: str
    required: true
  ref:
    description:
      - Branch, tag or commit (all 40 digits) to deploy.
      - Branch, tag or commit.
    type: str
    required: true
  commit:
    description:
      - Commit (all 40 digits) of ref to deploy; its newest, if not given.
      - Commit.
    type: str
  pinned:
    description:
      - Whether a branch needs commit, so that all hosts get the same.
    type: bool
    default: false
  requirements:
    description:
      - Requirements file, relative to subfolder; requirements.txt, if there is one, unless
        given.
      - Path within the repository.
    type: str
  keep:
    description:
      - How many releases stay on the host, the one in place included.
      - Whole number from 1 to 100.
    type: int
    default: 3
  allow_rewritten:
    description:
      - Whether to deploy a branch or tag that no longer leads on from what was deployed of
        it.
    type: bool
    default: false
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
- name: Deploy a Python application from git
  opslib.runbook.deploy:
    app: dashboard
    path: /srv/dashboard
    repository: git@git.example.com:team/app.git
    ref: v1.4.0
- name: Deploy a Python application from git, with parameters
  opslib.runbook.deploy:
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
    repository: git@git.example.com:team/app.git
    ref: v1.4.0
    requirements: requirements/production.txt
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(app), C(release) (in place now), C(commit), C(ref), C(since) (when it came),
    C(packages) (locked), C(kept) (releases that could be switched to at once), C(history) (the
    last 10 events), C(pending) (a run was cut short).
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
