# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: error_rate
short_description: Say whether errors have become more frequent, since when, after which release,
  and what to do first
version_added: 0.1.0
description:
  - 'Counts the errors of the last O(since) (as the task log_errors does) and compares their
    rate with that of the same time before the last release; where no release was recorded within
    O(compare), with the time before that. The pattern that grew most tells when it began: "began
    4 minutes after release v3 (abc123)". A beginning within O(related) after a release is laid
    to it. Disks, memory and the load are looked at too: what the tasks disk_usage and memory_usage
    fail for, and a 5-minute load from 5 per processor on. Nothing is changed.'
  - Fails when there are at least O(least) errors and their rate is O(factor) times that of
    before, or when there are more than O(per_minute).
  - 'Errors: those of log_errors.'
author:
  - opslib contributors (@opslib)
options:
  paths:
    description:
      - Log files, patterns, and folders (for the *.log in them), absolute.
      - List of absolute path.
    type: list
    elements: path
    required: true
  since:
    description:
      - The window begins this many seconds ago.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1h
  levels:
    description:
      - What counts as an error.
      - List of log level.
    type: list
    elements: str
    default:
      - ERROR
      - CRITICAL
      - FATAL
  match:
    description:
      - Count entries in which this regular expression is found.
      - Regular expression.
    type: str
  fields:
    description:
      - Count JSON entries whose members have these values.
      - Mapping.
    type: dict
    default: {}
  timezone:
    description:
      - The zone of times that name none; the host's own if not given.
      - Time zone such as UTC, +02:00 or Europe/Berlin.
    type: str
  releases:
    description:
      - Files and folders with the records of releases.
      - List of absolute path.
    type: list
    elements: path
    default:
      - /var/lib/opslib/releases
  application:
    description:
      - Look at the releases of this application only.
      - Name of an application.
    type: str
  compare:
    description:
      - Releases older than this many seconds are not looked at.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1d
  related:
    description:
      - Errors that begin within this many seconds after a release are laid to it.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1h
  factor:
    description:
      - Fail when the rate is this many times that of before; 0 for never.
      - Number from 0 to 1000000.0.
    type: float
    default: 3.0
  least:
    description:
      - Fewer errors than this are never too many by O(factor).
      - Whole number from 1 to 1000000000000000.0.
    type: int
    default: 5
  per_minute:
    description:
      - Fail when there are more errors per minute than this.
      - Number from 0 to 1000000000.0.
    type: float
  top:
    description:
      - How many patterns to list.
      - Whole number from 1 to 500.
    type: int
    default: 10
  read_limit:
    description:
      - Bytes to read at most for each of the windows, after unpacking.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 2G
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
- name: Say whether errors have become more frequent, since when, after which release
  opslib.runbook.error_rate:
    paths:
      - /srv/app/logs/app.log
- name: Say whether errors have become more frequent, since when, after which release, with
    parameters
  opslib.runbook.error_rate:
    paths:
      - /srv/app/logs/app.log
    since: 30m
    match: /api/forecast
    fields:
      path: /api/forecast
    timezone: UTC
    application: shop
    per_minute: 10
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(count), C(per_minute), C(since), C(until) (UTC) of the window, which begins
    with the release where that is later; C(before): C(count), C(per_minute), C(since), C(until),
    C(logged) (false when the logs hold nothing of that time); C(times) (rate against the rate
    before; null when that is 0); C(high); C(release) (C(id), C(at), C(application), C(commit),
    C(ref), C(outcome), C(who); null if none); C(began) (UTC), C(began_seconds) (after the release),
    C(related); C(patterns), at most C(top), those that grew most first: C(pattern), C(count),
    C(before_count), C(new), C(first), C(last), C(samples); C(packages_changed) since the time
    before; C(resources): words about disks, memory and load, empty when all are well; C(suggestion);
    C(bytes_read).'
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
