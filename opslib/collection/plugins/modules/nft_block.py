# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: nft_block
short_description: Drop all packets from addresses or networks, for a time, and let them in
  again
version_added: 0.1.0
description:
  - 'Works in a table of its own, C(inet opslib), so that no other rule is touched. Blocked
    are new and established connections, to this host and through it. An address that is blocked
    already stays as it is, also as part of a blocked network; a network takes the place of
    the addresses in it that were blocked before, and is refused when it would let them in again
    sooner. After O(expires) the kernel lets it in again by itself. Nothing survives a reboot,
    a flush of all rules included: run it again then.'
  - 'Refused, before anything is changed, is every address or network that holds an address
    from where somebody is logged in over ssh just now (the operator), an address of this host,
    one of O(never), loopback, multicast, link-local IPv6, and networks wider than /8 (IPv6:
    /16).'
  - 'Errors: nft is not installed, no root, a kernel without nftables. Sources: nft(8), RFC
    4632.'
author:
  - opslib contributors (@opslib)
options:
  addresses:
    description:
      - Addresses and networks.
      - List of IP address, or network such as 203.0.113.0/24.
    type: list
    elements: str
    required: true
  state:
    description:
      - Whether they are to be blocked, or let in again.
    type: str
    default: blocked
    choices:
      - blocked
      - open
  expires:
    description:
      - Seconds after which a block ends by itself; 0 for never.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1d
  never:
    description:
      - Addresses and networks that must never be blocked.
      - List of IP address, or network such as 203.0.113.0/24.
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
- name: Drop all packets from addresses or networks, for a time
  opslib.runbook.nft_block:
    addresses:
      - 203.0.113.7
      - 198.51.100.0/24
      - 2001:db8::/48
- name: Drop all packets from addresses or networks, for a time, with parameters
  opslib.runbook.nft_block:
    addresses:
      - 203.0.113.7
      - 198.51.100.0/24
      - 2001:db8::/48
    expires: 12h
    never:
      - 10.0.0.0/8
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(blocked) (C(address), C(expires_seconds), null for ever), at most 500, C(blocked_count);
    C(packets), how many were dropped so far; C(operators), from where people are logged in
    over ssh.
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
