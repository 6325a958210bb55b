# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: env_file
short_description: Set, remove and rotate variables of a systemd EnvironmentFile, and leave
  every other line as it is
version_added: 0.1.0
description:
  - 'Values are quoted so that systemd, and a shell that sources the file, read exactly what
    was given: blanks, quotes, C($), backslashes, C(#), line ends and any script. The file is
    written aside with its final mode and owner and put in place in one step; comments and order
    stay; new variables come last. A file that systemd would read otherwise than it looks (an
    open quote, text that is not UTF-8) is refused. Values are shown nowhere, not even in a
    diff.'
  - 'O(rotate) gives variables new random values that never leave the host; those of several
    hosts differ. Without O(rotate_after) that is done each time, else when a comment line of
    the task''s own above the variable says that the last rotation is that long ago; one dated
    in the future, as a clock that was ahead leaves, says nothing. A name that stands in O(set),
    too, gets that value instead, if it has another: so hosts share one. With O(keep_previous)
    the value before stays as NAME_PREVIOUS, and a later run with the same O(rotate) removes
    it after that time.'
  - 'Whoever may write the file may write such comment lines. With C(trust_remarks: false) none
    is believed: a variable counts as rotated only when the record that is kept beside it (rotated.json
    in /var/lib/opslib; of a user who is not root, in the home folder) says so of the very value
    that it has, and a NAME_PREVIOUS goes at the latest when O(keep_previous) after that is
    over, at once without it.'
  - With O(units) the step is changed, too, when one of them has run since before the file was
    last written, or has failed, so that a handler makes up for a restart that an earlier run
    did not come to, or that went wrong. The task itself restarts nothing.
  - 'Errors: no such folder, a file that is a link or no regular file, that changed while the
    task worked, or may not be written. Sources: systemd.exec(5), environ(7).'
author:
  - opslib contributors (@opslib)
options:
  path:
    description:
      - The environment file.
      - Absolute path.
    type: path
    required: true
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
  rotate:
    description:
      - Variables that get a new random value.
      - List of name of a variable.
    type: list
    elements: str
    default: []
  rotate_after:
    description:
      - Rotate only what was not rotated for so many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  rotate_bytes:
    description:
      - Random bytes in a new value, which is written in URL-safe base64.
      - Whole number from 16 to 512.
    type: int
    default: 32
  keep_previous:
    description:
      - Seconds for which the value before a rotation stays as NAME_PREVIOUS.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  trust_remarks:
    description:
      - Whether the file itself is believed when variables in it were rotated; not after a break-in.
    type: bool
    default: true
  create:
    description:
      - Whether a missing file is made; otherwise it is an error.
    type: bool
    default: true
  mode:
    description:
      - Permission bits of the file.
      - Octal file mode such as 0640.
    type: str
    default: '0600'
  owner:
    description:
      - Owner of the file; without it the one it has, or who runs this.
      - User name.
    type: str
  group:
    description:
      - Group of the file; without it the one it has.
      - User name.
    type: str
  units:
    description:
      - Units that read the file when they start.
      - List of systemd unit name.
    type: list
    elements: str
    default: []
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
- name: Set, remove and rotate variables of a systemd EnvironmentFile
  opslib.runbook.env_file:
    path: /etc/dashboard/env
- name: Set, remove and rotate variables of a systemd EnvironmentFile, with parameters
  opslib.runbook.env_file:
    path: /etc/dashboard/env
    set:
      LOG_LEVEL: info
    unset:
      - DEBUG
    rotate:
      - JWT_SECRET
    rotate_after: 30d
    keep_previous: 1d
    mode: '0640'
    owner: dashboard
    group: dashboard
    units:
      - dashboard
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(path), C(exists), C(variables) (names in the file, at most 500), C(previous)
    (names that rotation left), C(modified_seconds) (since its last modification), C(stale_units)
    (those that run with older values, or failed).
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
