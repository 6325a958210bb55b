# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: diagnose
short_description: Gather evidence about a service that does not respond, in one archive on
  the host, and say what is wrong
version_added: 0.1.0
description:
  - 'Looks at the unit (state, crash loops, its journal), the environment of its running process
    (names only, compared with those O(required), and with what its files would give it after
    a restart), the ports that should be its own and who really holds them, endpoints as seen
    from the host, the ends of log files and the errors in them, disks, memory, processes, all
    listening ports, the kernel''s messages, and what changed lately: releases and packages.
    Findings are warnings, so that what comes next (a restart) still happens.'
  - The archive is C(evidence-YYYYMMDD-HHMMSS.tar.gz) (UTC) in O(to), a folder with mode 0700;
    it has mode 0600 and holds C(summary.txt), C(summary.json) and a file for each subject.
    C(latest.tar.gz) is a link to the newest; of them O(keep) stay. Where files are too many
    for O(max_size), the last ones are left out, and the summary says which. The values of variables
    that are secret by their name are masked wherever they occur, and so is whatever looks like
    a password, token or key; other values of variables are not kept at all.
  - 'Errors: no systemd; the folder is not ours alone; no room for the archive (the findings
    are in data then too). Sources: systemctl(1), journalctl(1), proc(5), dpkg(1).'
author:
  - opslib contributors (@opslib)
options:
  unit:
    description:
      - The unit that does not respond.
      - Systemd unit name.
    type: str
    required: true
  others:
    description:
      - Units to look at beside it.
      - List of systemd unit name.
    type: list
    elements: str
    default: []
  required:
    description:
      - Environment variables that its process must have.
      - List of name of an environment variable.
    type: list
    elements: str
    default: []
  ports:
    description:
      - TCP ports that it must listen on.
      - List of port from 1 to 65535.
    type: list
    elements: int
    default: []
  endpoints:
    description:
      - URLs that must answer, or mappings of the parameters of http_check.
      - List of URL, or mapping of the parameters of http_check.
    type: list
    elements: raw
    default: []
  logs:
    description:
      - Log files, patterns, and folders (for the *.log in them), absolute.
      - List of absolute path.
    type: list
    elements: path
    default: []
  lines:
    description:
      - How many lines to keep of each log file and journal.
      - Whole number from 1 to 10000.
    type: int
    default: 200
  since:
    description:
      - Errors are counted over this many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1h
  changed:
    description:
      - Releases and packages are listed that changed within this many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 7d
  releases:
    description:
      - Files and folders with the records of releases.
      - List of absolute path.
    type: list
    elements: path
    default:
      - /var/lib/opslib/releases
  paths:
    description:
      - Paths whose disks are looked at; every file system when none is given.
      - List of absolute path.
    type: list
    elements: path
    default: []
  write:
    description:
      - Whether to write the archive; without it nothing is changed.
    type: bool
    default: true
  to:
    description:
      - Folder for archives, made (mode 0700) when missing.
      - Absolute path.
    type: path
    default: /var/lib/opslib/evidence
  keep:
    description:
      - How many archives stay in the folder.
      - Whole number from 1 to 10000.
    type: int
    default: 10
  max_size:
    description:
      - Bytes of evidence at most, before compression.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 50M
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
- name: Gather evidence about a service that does not respond, in one archive on the host
  opslib.runbook.diagnose:
    unit: ai-cost-dashboard
- name: Gather evidence about a service that does not respond, in one archive on the host, with
    parameters
  opslib.runbook.diagnose:
    unit: ai-cost-dashboard
    others:
      - postgresql
    required:
      - DATABASE_URL
      - API_KEY
    ports:
      - 8000
    endpoints:
      - http://127.0.0.1:8000/health
    logs:
      - /srv/app/logs
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(findings) (C(kind), C(severity) severe or note, C(words)), the severe first;
    C(advice), what to do first; C(units) (as the task service tells them), C(environment) (C(running),
    C(names), C(missing), C(empty), C(changed_since_start), C(problems); unless C(running) as
    its files give them), C(ports) (C(number), C(listening), C(own), C(holders)), C(endpoints)
    (C(url), C(ok), C(words)), C(logs) (C(path), C(size_bytes), C(name) in the archive), C(errors)
    (C(count), C(patterns)), C(releases) (C(id), C(at), C(application), C(commit), C(ref), C(outcome),
    C(who)), C(packages_changed) (C(at), C(act), C(package), C(before), C(after)); C(host),
    C(kernel), C(uptime_seconds), C(at) (UTC); C(bundle) (path, null unless written), C(bundle_bytes),
    C(left_out) (names), C(removed) (old archives).
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
