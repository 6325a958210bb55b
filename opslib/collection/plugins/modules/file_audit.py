# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: file_audit
short_description: Compare the files of all packages with what was installed, and look for what
  an intruder leaves
version_added: 0.1.0
description:
  - 'Three looks: dpkg --verify (changed or missing files of packages; configuration files are
    told apart, since people change them); programs with the setuid or setgid bit that no package
    brought, on file systems with disks; files below O(watched) that changed within O(since),
    by the time that nobody can set back (ctime). A changed program, a missing one, and a setuid
    program of nobody''s are severe: warnings, or failures with O(strict). dpkg''s own lists
    can be changed by an intruder with root as well: what is found is true, what is not found
    proves nothing. Reading all files of all packages takes a while. Nothing is changed.'
  - 'Images of containers hold setuid programs that no package of the host brought, in folders
    that only root can enter, as docker, containerd, podman and machined make them: O(containers)
    are not looked into. C(left_out), and the words of the result, say which of them there are.'
  - 'Errors: dpkg is missing, or takes longer than O(timeout). Sources: dpkg(1) (--verify),
    inode(7), find(1).'
author:
  - opslib contributors (@opslib)
options:
  since:
    description:
      - Files that changed within this many seconds are recent.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 7d
  watched:
    description:
      - Folders in which recent changes count.
      - List of absolute path.
    type: list
    elements: path
    default:
      - /etc
      - /root
      - /usr/local/bin
      - /usr/local/sbin
      - /usr/local/lib
      - /var/spool/cron
      - /boot
  ignore:
    description:
      - Patterns of paths that are left out.
      - List of pattern of paths.
    type: list
    elements: str
    default:
      - /usr/share/doc/*
      - /usr/share/doc-base/*
      - /usr/share/info/*
      - /usr/share/lintian/*
      - /usr/share/locale/*
      - /usr/share/man/*
  packages:
    description:
      - Whether to compare the files of packages.
    type: bool
    default: true
  setuid:
    description:
      - Whether to look for setuid and setgid programs of no package.
    type: bool
    default: true
  containers:
    description:
      - Folders of containers and their images, in which setuid programs are not looked for.
      - List of absolute path.
    type: list
    elements: path
    default:
      - /var/lib/containerd/io.containerd.snapshotter.v1.native
      - /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs
      - /var/lib/containers/storage
      - /var/lib/docker/fuse-overlayfs
      - /var/lib/docker/overlay2
      - /var/lib/docker/vfs
      - /var/lib/machines
  strict:
    description:
      - Whether what is severe is a failure.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that dpkg may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 15m
  top:
    description:
      - How many entries of each list to show.
      - Whole number from 1 to 5000.
    type: int
    default: 100
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
- name: Compare the files of all packages with what was installed
  opslib.runbook.file_audit:
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(changed_programs), C(changed_config): C(path), C(package_says) (what differs:
    content, missing); C(missing); C(setuid): C(path), C(mode), C(owner), C(changed) (UTC);
    C(recent): C(path), C(mode), C(owner), C(changed); of each list at most C(top) and C(..._count)
    with it; C(complete) (false when there were more files than can be looked at); C(left_out)
    (folders of containers).'
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
