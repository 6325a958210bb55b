# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: firestore_restore
short_description: Restore a Firestore database from an export, while the service that uses
  it is paused
version_added: 0.1.0
description:
  - 'In this order: the backup is proven; what the database holds is exported to O(safety),
    and that proven; the service is paused, and waited for; the backup is imported into the
    project and the database that are named; the documents are counted, and those that the backup
    does not hold are told, since an import removes none; the service is resumed and waited
    for. It is resumed as well when any of this fails, when time is up and when the run is stopped.
    What was written between the safety export and the pause is in the database only, until
    the import writes over it.'
  - The safety export must not lie in O(backup) or O(newest_below), where it would be taken
    for the backup the next time.
  - 'A restore is done once: as long as the newest import was of this backup, it is not made
    again, unless O(again); but a service that an earlier run left paused is resumed.'
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
  safety:
    description:
      - 'Where to export to before: gs://BUCKET/FOLDER; %Y %m %d %H %M %S stand for the present
        time in UTC.'
      - Address such as gs://bucket/folder.
    type: str
  without_safety:
    description:
      - 'Do without the safety export: what the import writes over is lost.'
    type: bool
    default: false
  snapshot:
    description:
      - 'State for the safety export: of the last full minute (C(now)), of a time, or C(none).'
      - Time such as 2026-01-31T02:00:00Z, or now, or none.
    type: str
    default: now
  service:
    description:
      - App Runner service to pause meanwhile; none if not given.
      - Name or ARN of a container service.
    type: str
  account:
    description:
      - The AWS account of the service.
      - AWS account number of 12 digits, in quotes.
    type: str
  region:
    description:
      - The AWS region of the service.
      - AWS region such as eu-west-1.
    type: str
  profile:
    description:
      - A profile of the AWS configuration files to use.
      - Profile name.
    type: str
  resume:
    description:
      - Resume the service in any case, or only if it was running before.
    type: str
    default: always
    choices:
      - always
      - as_before
  again:
    description:
      - Restore even if the newest import was of this backup.
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
- name: Restore a Firestore database from an export, while the service that uses it is paused
  opslib.runbook.firestore_restore:
    project: spendsense-test
    backup: gs://spendsense-backups/daily/2026-01-31
    safety: gs://spendsense-backups/safety-%Y%m%d_%H%M%S
- name: Restore a Firestore database from an export, while the service that uses it is paused,
    with parameters
  opslib.runbook.firestore_restore:
    project: spendsense-test
    backup: gs://spendsense-backups/daily/2026-01-31
    safety: gs://spendsense-backups/safety-%Y%m%d_%H%M%S
    account: '123456789012'
    region: us-east-1
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'as of C(firestore_import), and C(service) (name, or null), C(paused); what this
    run did: C(safety) (the export), C(steps), each with C(step) and C(seconds).'
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
