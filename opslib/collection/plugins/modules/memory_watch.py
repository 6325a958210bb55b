# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: memory_watch
short_description: Sample a unit's memory for `duration`, fit a line, and say how sure it is
  and when memory runs out
version_added: 0.1.0
description:
  - Counted is what the unit's control group uses, without cache that can go at once; where
    there is no such group (no memory controller) the anonymous memory of its processes. The
    end is O(limit), or the tightest limit of the unit and the groups around it, or what the
    unit uses and the host has available together, whichever is least.
  - 'The line is fitted by least squares. It is called sure when a slope like that comes by
    chance less than once in a thousand (with the number of samples lowered for their correlation)
    and the line explains 80 % of the spread; likely below 5 % and from 40 % on; unclear otherwise.
    Growth of less than O(noise) per hour is steady. What is true of minutes need not be of
    days: a cache that fills looks like a leak; watch longer when in doubt.'
  - 'It is critical when O(critical_percent) of the limit is used, or when memory surely or
    likely runs out within O(critical). Then the step fails; with O(restart) the unit is restarted
    instead and watched as by the task service. Not critical but growing is a warning. Nothing
    else is changed. The run needs as long as O(duration): a deadline shorter than that cuts
    it short, and the step says so.'
  - 'Errors: the unit does not run, or stops while watched. Sources: cgroups(7), proc_pid_status(5),
    proc_meminfo(5).'
author:
  - opslib contributors (@opslib)
options:
  unit:
    description:
      - The unit to watch.
      - Systemd unit name.
    type: str
    required: true
  duration:
    description:
      - Seconds to watch.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 2m
  every:
    description:
      - Seconds between two samples.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '2'
  limit:
    description:
      - Bytes that the unit may use; found out if not given.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
  critical:
    description:
      - Critical when memory runs out within this many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1h
  critical_percent:
    description:
      - Critical when this percentage of the limit is used already.
      - Percentage from 0 to 100.
    type: float
    default: 90
  noise:
    description:
      - Growth of fewer bytes per hour than this is none.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 1M
  restart:
    description:
      - Whether to restart the unit when it is critical.
    type: bool
    default: false
  settle:
    description:
      - Seconds that it must stay up after a restart.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '3'
  start_timeout:
    description:
      - Seconds within which it must be up again after a restart.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '90'
  port:
    description:
      - TCP port that it must listen on after a restart.
      - Port from 1 to 65535.
    type: int
  http:
    description:
      - URL that must answer after a restart, or a mapping of the parameters of http_check.
      - URL, or mapping of the parameters of http_check.
    type: raw
  log_lines:
    description:
      - How many lines of the unit's journal a failing restart carries.
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
- name: Sample a unit's memory for `duration`, fit a line
  opslib.runbook.memory_watch:
    unit: ai-cost-dashboard
- name: Sample a unit's memory for `duration`, fit a line, with parameters
  opslib.runbook.memory_watch:
    unit: ai-cost-dashboard
    duration: 10m
    every: 5s
    limit: 2G
    critical: 30m
    critical_percent: 85
    noise: 10M
    restart: true
    port: 8000
    http: http://127.0.0.1:8000/health
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(unit), C(source) (cgroup, processes), C(seconds) watched, C(samples) (at most
    200: C(seconds), C(used_bytes)), C(sample_count), C(first_bytes), C(last_bytes), C(most_bytes),
    C(limit_bytes), C(limit_of) (asked, unit, host), C(used_percent); C(trend) (growing, steady,
    shrinking, unclear), C(sureness) (sure, likely, unclear), C(bytes_per_hour), C(error_bytes_per_hour)
    (standard error; null when unknown), C(r2), C(p); C(runs_out_seconds), C(runs_out) (UTC),
    C(runs_out_earliest_seconds), C(runs_out_latest_seconds) (two standard errors either way;
    null for never); C(critical), C(why); C(restarts_seen) (the unit was restarted while watched);
    C(restarted), C(used_after_bytes).'
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
