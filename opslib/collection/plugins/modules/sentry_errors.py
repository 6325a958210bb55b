# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: sentry_errors
short_description: Compare the errors of the last while with those of the time before, and name
  new issues
version_added: 0.1.0
description:
  - It is a spike when there are at least O(least) errors, and at least O(factor) times as many
    an hour as in the baseline; without any in the baseline, O(least) decides. New issues are
    the unresolved ones that were first seen with O(release), or else within the window. A spike
    is a failure unless O(fail) is false; so are more than O(max_new) new issues.
  - 'What titles hold of secrets is masked. Source: https://docs.sentry.io/api/explore/'
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
  organisation:
    description:
      - The organisation's slug.
      - Sentry organisation.
    type: str
    required: true
  projects:
    description:
      - The projects' slugs.
      - List of Sentry project.
    type: list
    elements: str
    required: true
  environments:
    description:
      - Only errors of these environments.
      - List of environment.
    type: list
    elements: str
    default: []
  query:
    description:
      - Only errors that Sentry's search language finds.
      - Search.
    type: str
    default: ''
  window:
    description:
      - The last while to judge, in seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1h
  baseline:
    description:
      - The time before to compare with, in seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 24h
  factor:
    description:
      - How many times the usual errors are a spike.
      - Number from 1 to 1000.
    type: float
    default: 3.0
  least:
    description:
      - Fewer errors than this are never a spike.
      - Whole number from 1 to 1000000000.
    type: int
    default: 10
  release:
    description:
      - Name issues that came with this release.
      - Release.
    type: str
  max_new:
    description:
      - More new issues than this are a failure.
      - Whole number from 0 to 1000000.
    type: int
  most:
    description:
      - How many new issues to read at most.
      - Whole number from 1 to 1000.
    type: int
    default: 100
  fail:
    description:
      - Whether a spike is a failure.
    type: bool
    default: true
  token:
    description:
      - Auth token, from a vault; else the environment's SENTRY_AUTH_TOKEN.
      - Access token.
    type: str
  api:
    description:
      - URL of Sentry; else the environment's SENTRY_URL, or https://sentry.io.
      - Http or https URL.
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
- name: Compare the errors of the last while with those of the time before
  opslib.runbook.sentry_errors:
    organisation: acme
    projects:
      - dashboard-api
- name: Compare the errors of the last while with those of the time before, with parameters
  opslib.runbook.sentry_errors:
    organisation: acme
    projects:
      - dashboard-api
    query: level:fatal
    release: api@1.4.2
    max_new: 0
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(verdict) (spike, usual or none), C(errors), C(baseline_errors), C(per_hour),
    C(baseline_per_hour), C(ratio) (null without errors in the baseline), C(new_issues), each
    with C(id), C(title), C(level), C(count), C(users), C(age_seconds), C(link); C(more_issues)
    (whether there are more than C(most)), C(release), C(release_age_seconds).
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
