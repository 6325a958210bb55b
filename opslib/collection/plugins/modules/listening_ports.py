# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: listening_ports
short_description: List the ports that are listened on and by whom, and fail when one is missing
  or is open that should not be
version_added: 0.1.0
description:
  - Looks at the sockets of the host's own network namespace, not into those of containers.
    Sockets of several processes (workers) and several sockets of one address and port are shown
    as one. Who holds a socket of another user is known to root only; its user is always known.
    A UDP socket without a peer counts as listening. Nothing is changed.
  - 'Errors: /proc/net/tcp is not readable. Sources: proc_pid_net(5), the kernel''s proc_net_tcp.rst,
    netstat(8), ss(8).'
author:
  - opslib contributors (@opslib)
options:
  expected:
    description:
      - Fail unless each of these ports is listened on, on whatever address.
      - List of port such as 443, 443/tcp or 53/udp.
    type: list
    elements: str
    default: []
  only:
    description:
      - Fail when any port beyond these and the expected ones is open on an address that is
        not loopback.
      - List of port such as 443, 443/tcp or 53/udp.
    type: list
    elements: str
  owner:
    description:
      - Fail when a port that is listened on belongs to another unit, program or user than this.
      - Mapping of names to unit, program or user.
    type: dict
    default: {}
  udp:
    description:
      - Look at UDP as well, for O(only) too; always done where a UDP port is named.
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
- name: List the ports that are listened on and by whom
  opslib.runbook.listening_ports:
- name: List the ports that are listened on and by whom, with parameters
  opslib.runbook.listening_ports:
    expected:
      - '22'
      - 443/tcp
      - 53/udp
    only:
      - '22'
      - '443'
    owner:
      '8000': uvicorn.service
    udp: true
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(listening) (at most 500, C(left_out) says how many more), by port: C(protocol)
    ("tcp", "udp"), C(address), C(port), C(loopback) (reached from this host only), C(user)
    (who made the socket), C(pids) (at most 20), C(program) and C(unit) of the first of them
    (empty if unknown); C(missing) ports that are expected; C(unwanted) ports that are open
    beyond C(only); C(wrong_owner) in words; C(unknown_owners), how many of the listening have
    no process to be seen.'
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
