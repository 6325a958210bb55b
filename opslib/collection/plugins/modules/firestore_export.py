# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: firestore_export
short_description: Export all documents of a Firestore database to a folder in Cloud Storage,
  and prove that the export is whole
version_added: 0.1.0
description:
  - The operation is followed to its end; then the completion marker must be there and name
    nothing that is missing, and the number of documents must be that of the snapshot. A complete
    export that is there already is left as it is; one that is under way to the same folder
    is followed instead of begun again; an import by somebody else is waited for. An export
    costs a read for every document.
author:
  - opslib contributors (@opslib)
options:
  wait:
    description:
      - Seconds that everything together may take, or a time such as C(30m).
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 15m
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
  database:
    description:
      - The database in the project.
      - Database id.
    type: str
    default: (default)
  destination:
    description:
      - 'Where to: gs://BUCKET/FOLDER; %Y %m %d %H %M %S stand for the present time in UTC.'
      - Address such as gs://bucket/folder.
    type: str
    required: true
  snapshot:
    description:
      - 'State to export: of the last full minute (C(now)), of a time (UTC), or C(none): whatever
        is read on the way.'
      - Time such as 2026-01-31T02:00:00Z, or now, or none.
    type: str
    default: now
  read:
    description:
      - Read every byte of the export for its proof, which costs what a download costs.
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
- name: Export all documents of a Firestore database to a folder in Cloud Storage
  opslib.runbook.firestore_export:
    project: spendsense-test
    destination: gs://spendsense-backups/manual-%Y%m%d
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(url), C(documents), C(bytes), C(objects), C(finished) (UTC), C(problems);
    what this run did: C(operation), C(snapshot) (UTC), C(collections) (documents of each at
    the root, as of the snapshot).'
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
