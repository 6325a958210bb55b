# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: vercel_env
short_description: Set and remove environment variables, list them without their values, and
  compare them with a file
version_added: 0.1.0
description:
  - 'Only the named environments are touched: a variable that is shared with others is parted
    from theirs first. Those of single branches are left alone. Values are shown nowhere. Sensitive
    variables cannot be read back: one that is there is taken to be right, unless O(rewrite)
    names it, which writes it on every run.'
  - A change takes effect with the next deployment, and a rollback does not take it back; a
    warning says so for as long as that is to come.
  - 'Source: https://vercel.com/docs/environment-variables'
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
  project:
    description:
      - The project.
      - 'Vercel project: name or id.'
    type: str
    required: true
  team:
    description:
      - The team that has the project; without it the personal account of the token.
      - 'Vercel team: id or slug.'
    type: str
  token:
    description:
      - Access token, from a vault; else the environment's VERCEL_TOKEN.
      - Access token.
    type: str
  api:
    description:
      - URL of the API; else the environment's VERCEL_API_URL, or https://api.vercel.com.
      - Http or https URL.
    type: str
  targets:
    description:
      - The environments to work on.
    type: list
    elements: str
    default:
      - production
    choices:
      - production
      - preview
      - development
  set:
    description:
      - Variables with the values they must have.
      - Mapping of variables to values.
    type: dict
    default: {}
  unset:
    description:
      - Variables that must not be there.
      - List of name of a variable.
    type: list
    elements: str
    default: []
  sensitive:
    description:
      - Whether new variables are kept so that nobody can read them back.
    type: bool
    default: false
  rewrite:
    description:
      - Sensitive variables of O(set) whose value is written again each time.
      - List of name of a variable.
    type: list
    elements: str
    default: []
  file:
    description:
      - Environment file on the controller to compare with.
      - Absolute path.
    type: path
  same:
    description:
      - Whether a difference from the file is a failure.
    type: bool
    default: true
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
- name: Set and remove environment variables, list them without their values
  opslib.runbook.vercel_env:
    project: dashboard
- name: Set and remove environment variables, list them without their values, with parameters
  opslib.runbook.vercel_env:
    project: dashboard
    team: acme
    set:
      LOG_LEVEL: info
    unset:
      - DEBUG
    file: /srv/dashboard/.env.production
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(variables), each with C(key), C(targets), C(type), C(branch), C(age_seconds);
    with a file, C(missing) (in Vercel), C(extra) (not in the file), C(different) and C(unknown)
    (sensitive), all of them names.
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
