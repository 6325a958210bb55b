# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: gcs_upload
short_description: Upload a file to an object, or all files below a folder to objects below
  a prefix
version_added: 0.1.0
description:
  - A file is sent in parts; when the connection breaks, the part that did not arrive is sent
    again. The service is told the checksum first and makes an object only of exactly that content;
    a file that changes meanwhile fails the step. Objects that are equal already are not sent;
    others are replaced only with O(overwrite), and only while they are the version that was
    seen. A run that was cut short has made whole objects or none. Nothing is removed. Only
    regular files are sent; links are not followed.
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
  path:
    description:
      - The file, or for a prefix the folder.
      - Absolute path.
    type: path
    required: true
  object:
    description:
      - The object to make of a file.
      - Object name without the bucket.
    type: str
  prefix:
    description:
      - How the objects' names begin, as a folder; give this or object.
      - Beginning of object names such as daily/.
    type: str
  overwrite:
    description:
      - Whether objects with other content are replaced.
    type: bool
    default: false
  part:
    description:
      - Bytes of one request, a multiple of 256K.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 8M
  most:
    description:
      - Refuse to act when there are more files.
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
- name: Upload a file to an object, or all files below a folder to objects below a prefix
  opslib.runbook.gcs_upload:
    project: spendsense-test
    bucket: spendsense-backups
    path: /srv/app/dump.gz
    object: manual/dump.gz
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(files), C(bytes): all that belongs there; C(url).'
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
