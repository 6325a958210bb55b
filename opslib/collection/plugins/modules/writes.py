# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: writes
short_description: Stop the units that write (schedulers, services), so that nothing starts
  them, and later undo exactly that
version_added: 0.1.0
description:
  - 'C(stopped) records which of the O(units) run, makes sure that nothing can start them (by
    hand, by a timer or socket, by another unit, or at boot: a drop-in in /etc/systemd/system
    sees to it), and stops them in their order, timers and sockets that would start them first.
    C(resumed) needs no units: it takes the drop-ins away, starts what had run in the opposite
    order, watches each for O(settle) seconds, and only then forgets the record. What did not
    run before stays stopped. A run that is cut short is taken up by the next one in either
    direction.'
  - The record is /var/lib/opslib/writes/RECORD.json. Units stopped under several names are
    held by each of them.
  - 'Errors: a unit does not exist, cannot be stopped by hand, is no longer there or fails when
    it is resumed (the record is kept then); the record is damaged. Sources: systemctl(1), systemd.unit(5).'
author:
  - opslib contributors (@opslib)
options:
  state:
    description:
      - Whether writes are to be stopped or to go on.
    type: str
    required: true
    choices:
      - stopped
      - resumed
  units:
    description:
      - Units to stop, in this order; for C(resumed) those of the record.
      - List of systemd unit name.
    type: list
    elements: str
    default: []
  record:
    description:
      - Name of the record.
      - Name of a record.
    type: str
    default: data_loss
  stop_timeout:
    description:
      - Seconds that a unit may take to stop.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '90'
  settle:
    description:
      - Seconds that a resumed unit must stay up.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '3'
  start_timeout:
    description:
      - Seconds within which a resumed unit must be up.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '90'
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
- name: Stop the units that write (schedulers, services), so that nothing starts them
  opslib.runbook.writes:
    state: stopped
    units:
      - app-scheduler
      - app
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(record), C(stopped) (whether a record exists), C(since) (UTC, null without
    one), C(units), in their order: C(unit), C(was_active), C(active_state), C(held) (nothing
    can start it), C(why) (asked, or the unit that it would start).'
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
