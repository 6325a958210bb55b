# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: firestore_import
short_description: Import a Firestore export into a database, project and database named, and
  compare them afterwards
version_added: 0.1.0
description:
  - 'The backup is proven before anything is touched. By default the database must be empty:
    an import writes over the documents of the same names, and removes none; with C(into: any)
    those that stay are told. An import that is under way from the same backup is followed;
    another is waited for. As long as the newest import was of this backup, it is not imported
    again, unless O(again): documents may have changed since, and the result says when it was.'
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
  backup:
    description:
      - 'The export to import: gs://BUCKET/FOLDER.'
      - Address such as gs://bucket/folder.
    type: str
  newest_below:
    description:
      - 'Instead of O(backup): a folder, whose newest export that is whole is taken.'
      - Address such as gs://bucket/folder.
    type: str
  read:
    description:
      - Read every byte of the backup for its proof, which costs what a download costs.
    type: bool
    default: false
  into:
    description:
      - Whether the database must be empty.
    type: str
    default: empty
    choices:
      - empty
      - any
  again:
    description:
      - Import even if the newest import was of this backup.
    type: bool
    default: false
  scan:
    description:
      - How many documents there may be for the names of those that stay to be looked for; a
        read for each.
      - Whole number from 0 to 1000000.
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
- name: Import a Firestore export into a database, project and database named
  opslib.runbook.firestore_import:
    project: spendsense-test
    backup: gs://spendsense-backups/daily/2026-01-31
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(backup) (C(url), C(documents), C(bytes), C(finished), C(problems), C(verified)),
    C(documents) (in the database), C(imported) (the operation, or null), C(left) (documents
    that the backup does not hold, null if unknown), C(left_names), C(left_names_whole).
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
