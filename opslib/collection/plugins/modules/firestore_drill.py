# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: firestore_drill
short_description: Restore a Firestore backup into a database made for it in a sandbox project,
  compare, and remove that database
version_added: 0.1.0
description:
  - 'No project in O(production) is ever worked in, nor the one that is compared with: that
    is refused before anything is asked of Google. The database must not be there before; it
    is removed again even when the drill fails or is cut short, unless O(keep). The database
    must then hold exactly as many documents as the backup; with O(compare_with), each collection
    at the root must also be as big as that project''s now, within O(tolerance).'
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
      - The database to make in the sandbox project.
      - Database id.
    type: str
    default: opslib-drill
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
  production:
    description:
      - Projects in which a drill must never work.
      - List of Google Cloud project id.
    type: list
    elements: str
    required: true
  location:
    description:
      - Where to make it; by default where the project's default database is.
      - Location.
    type: str
  compare_with:
    description:
      - A project whose collections to compare with.
      - Google Cloud project id.
    type: str
  compare_database:
    description:
      - The database of that project.
      - Database id.
    type: str
    default: (default)
  tolerance:
    description:
      - By how much, in percent, a collection may differ from the one that it is compared with.
      - Percentage from 0 to 100.
    type: float
    default: 20
  keep:
    description:
      - Leave the database there afterwards.
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
- name: Restore a Firestore backup into a database made for it in a sandbox project, compare
  opslib.runbook.firestore_drill:
    project: spendsense-test
    production:
      - spendsense-production
    backup: gs://spendsense-backups/daily/2026-01-31
- name: Restore a Firestore backup into a database made for it in a sandbox project, compare,
    with parameters
  opslib.runbook.firestore_drill:
    project: spendsense-test
    backup: gs://spendsense-backups/daily/2026-01-31
    production:
      - spendsense-production
    location: eur3
    compare_with: spendsense-production
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(backup) (see firestore_import), C(documents), C(imported) (the operation),
    C(collections) (by name: C(restored) and, if compared, C(production)), C(seconds), C(kept).'
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
