# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: service
short_description: Start, stop, restart, reload, enable or mask a systemd unit, and make sure
  that it really works afterwards
version_added: 0.1.0
description:
  - 'C(systemctl restart) returns before a program is ready and says nothing of a crash loop.
    After a start, restart or reload this task watches for O(settle) seconds: the unit must
    stay active, without any automatic restart, until O(port) is owned by one of its own processes
    and O(http) answers as it should; O(start_timeout) bounds all of it. A oneshot service that
    does not remain is a job: C(started) runs it, each time anew, until it has ended well.'
  - 'Without O(state), O(enabled), O(masked) and O(reset_failed) it is a pure check: it reports
    the unit, and fails when the unit is missing, failed, in a crash loop, or not as O(port)
    and O(http) say. With C(state: started) a unit that is active but loops, or lacks its port
    or answer, is a failure too. C(restarted) and C(reloaded) are done each time, save that
    a stopped unit is started. A unit file that changed on disk is read anew (daemon-reload)
    before that.'
  - 'Errors: no such unit, a bad unit file, a masked unit, a start limit that was hit (O(reset_failed)
    clears it), a program that fails, loops or does not answer, a unit that cannot reload or
    be enabled, missing permission. Sources: systemctl(1), systemd.unit(5), systemd.service(5),
    org.freedesktop.systemd1(5), proc(5).'
author:
  - opslib contributors (@opslib)
options:
  unit:
    description:
      - Unit to act on; without a suffix it is a .service.
      - Systemd unit name.
    type: str
    required: true
  state:
    description:
      - What the unit should be; restarted and reloaded act each time.
    type: str
    choices:
      - started
      - stopped
      - restarted
      - reloaded
  enabled:
    description:
      - Whether the unit starts at boot.
    type: bool
  masked:
    description:
      - Whether the unit is masked, so that nothing can start it.
    type: bool
  reset_failed:
    description:
      - Clear a failed or crash-looping unit first, which lifts a start limit that it hit or
        is about to hit.
    type: bool
    default: false
  settle:
    description:
      - Seconds to watch after a start, restart or reload before it counts as good.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '3'
  start_timeout:
    description:
      - Seconds within which the unit must be active, own its port and answer over HTTP; also
        the limit of a stop.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '90'
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
  log_lines:
    description:
      - How many lines of the unit's journal a failure carries.
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
- name: Start, stop, restart, reload, enable or mask a systemd unit
  opslib.runbook.service:
    unit: nginx
- name: Start, stop, restart, reload, enable or mask a systemd unit, with parameters
  opslib.runbook.service:
    unit: nginx
    state: restarted
    enabled: true
    masked: false
    reset_failed: true
    settle: 10s
    start_timeout: 2m
    port: 8000
    http:
      url: http://127.0.0.1:8000/health
      json:
        status: healthy
    log_lines: 50
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(unit), C(id) (differs for an alias), C(load_state), C(active_state), C(sub_state),
    C(enabled_state), C(type), C(result), C(restarts) (automatic ones), C(main_pid), C(exit_status),
    C(active_seconds) (null when it is not active), C(file_changed) (on disk since it was loaded);
    with C(port): C(port) (C(number), C(own), C(holders) with C(pid), C(program), C(unit));
    with C(http): C(http) as http_check''s data; on failure C(log): the unit''s last journal
    lines, those of its last run where known.'
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
