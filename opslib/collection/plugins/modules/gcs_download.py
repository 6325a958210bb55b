# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: gcs_download
short_description: Download an object to a file, or all objects below a prefix to a folder
version_added: 0.1.0
description:
  - 'Exactly the versions that were seen when looking are downloaded, and held against their
    checksums. A file appears whole or not at all: what arrives is kept in a private file beside
    it, and when the connection breaks or the run is cut short, this run or the next goes on
    from there. Files that are equal already are not downloaded; others are replaced only with
    O(overwrite). Nothing here is removed. Names of objects that no file below the folder can
    have (with C(..), control characters, parts that are too long) are refused before anything
    is written.'
author:
  - opslib contributors (@opslib)
options:
  wait:
    description:
      - Seconds that everything together may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 6h
  poll:
    description:
      - Seconds before a second look at what is under way, or a second try; later pauses are
        longer.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '2'
  project:
    description:
      - The project to work in; none is taken from the environment.
      - Google Cloud project id.
    type: str
    required: true
  bucket:
    description:
      - The bucket, without gs://.
      - Bucket name without gs://.
    type: str
    required: true
  object:
    description:
      - The object.
      - Object name without the bucket.
    type: str
  prefix:
    description:
      - How the objects' names begin, as a folder; give this or object.
      - Beginning of object names such as daily/.
    type: str
  path:
    description:
      - The file to write, or for a prefix the folder; the folder above it must exist.
      - Absolute path.
    type: path
    required: true
  overwrite:
    description:
      - Whether files with other content are replaced.
    type: bool
    default: false
  mode:
    description:
      - Permission bits of the files.
      - Octal file mode such as 0640.
    type: str
    default: '0600'
  most:
    description:
      - Refuse to act when there are more objects.
      - Whole number from 1 to 200000.
    type: int
    default: 10000
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
    support: none
  bypass_host_loop:
    support: none
  check_mode:
    support: full
  connection:
    support: none
  delegation:
    support: none
  diff_mode:
    support: full
  platform:
    support: full
    platforms: posix
requirements:
  - opslib on the controller
"""

EXAMPLES = r"""
---
- name: Download an object to a file, or all objects below a prefix to a folder
  opslib.runbook.gcs_download:
    project: spendsense-test
    bucket: spendsense-backups
    path: /srv/dump.gz
    object: daily/dump.gz
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(files), C(bytes): all that belongs there; C(path). Errors: there is no such
    object; the disk is too full.'
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
