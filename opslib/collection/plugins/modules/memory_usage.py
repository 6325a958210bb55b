# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: memory_usage
short_description: Check the available memory, the swap and the load, and list the processes
  that hold most memory
version_added: 0.1.0
description:
  - 'Available is what programs can still take without swapping: the kernel''s MemAvailable.
    Where the host is a container with a memory limit (cgroup v1 or v2) tighter than the machine''s
    memory, the limit counts as its memory, and available is what is left of it (cache that
    can go at once counted as free) or of the machine, whichever is less. The load is the 5-minute
    average divided by the number of online processors, of the whole machine always.'
  - 'Of a process only the program''s name and, for an interpreter, the script or module are
    shown: arguments may hold secrets. Kernel threads are left out. Memory that processes share
    is counted in each of them. Nothing is changed.'
  - 'Errors: /proc is not readable. Sources: proc_meminfo(5), proc_loadavg(5), proc_pid_statm(5),
    cgroups(7), the kernel''s psi.rst.'
author:
  - opslib contributors (@opslib)
options:
  warn:
    description:
      - 'Warn when less memory than this is available: a share of the total ("10%") or an amount
        ("512M"); 0 for never.'
      - Percentage as 90%, or a size as 512M.
    type: str
    default: 10%
  fail:
    description:
      - 'Fail when less memory than this is available: a share of the total ("5%") or an amount
        ("256M"); 0 for never.'
      - Percentage as 90%, or a size as 512M.
    type: str
    default: 5%
  swap_warn:
    description:
      - Warn when this percentage of the swap is used.
      - Percentage from 0 to 100.
    type: float
    default: 80
  swap_fail:
    description:
      - Fail when this percentage of the swap is used.
      - Percentage from 0 to 100.
    type: float
  load_warn:
    description:
      - Warn when the 5-minute load per processor is at least this.
      - Number from 0 to 100000.
    type: float
    default: 2.0
  load_fail:
    description:
      - Fail when the 5-minute load per processor is at least this.
      - Number from 0 to 100000.
    type: float
  top:
    description:
      - How many of the largest processes to list.
      - Whole number from 0 to 100.
    type: int
    default: 10
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
- name: Check the available memory, the swap and the load
  opslib.runbook.memory_usage:
- name: Check the available memory, the swap and the load, with parameters
  opslib.runbook.memory_usage:
    warn: 15%
    fail: 256M
    swap_fail: 90
    load_fail: 5
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(counted) ("machine", or the folder of the container''s limit), C(total_bytes),
    C(available_bytes), C(available_percent), C(machine_total_bytes), C(machine_available_bytes),
    C(cgroup) (C(version), C(path), C(limit_bytes), C(used_bytes), C(inactive_file_bytes), C(swap_limit_bytes),
    C(swap_used_bytes), C(oom_kills); null without a limit), C(shared_bytes) (tmpfs and shared
    memory), C(swap_total_bytes), C(swap_used_bytes), C(swap_used_percent) (null without swap),
    C(processors), C(load_1m), C(load_5m), C(load_15m), C(load_1m_per_processor), C(load_5m_per_processor),
    C(load_15m_per_processor), C(pressure) (share of time stalled for memory: C(some_10s_percent),
    C(some_60s_percent), C(some_300s_percent) and the same with C(full); null where the kernel
    does not tell), C(oom_kills) (since boot; null if unknown), C(process_count), and C(processes),
    the largest first: C(pid), C(user), C(rss_bytes), C(swap_bytes), C(command).'
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
