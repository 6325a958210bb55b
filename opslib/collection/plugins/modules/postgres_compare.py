# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_compare
short_description: 'Tell which rows a database has lost since a backup, by counting them: what
  a data loss took, and what it did not'
version_added: 0.1.0
description:
  - 'The rows of each table are counted now, and compared with the counts in the backup''s manifest,
    which were taken in the snapshot that was dumped. A table that is missing, or has fewer
    rows, is a warning, or with O(strict) a failure; rows that came since are told in the data.
    Rows that were replaced or changed are not seen: only a restore shows them. Without O(backup)
    the newest good one is taken; which of them still has all rows is told by C(backups). Nothing
    is changed.'
  - 'Errors: there is no backup, the database cannot be reached or read, a table stays locked
    for as long as O(timeout).'
author:
  - opslib contributors (@opslib)
options:
  database:
    description:
      - Database; by default that of the URL, or the user's name.
      - Database name.
    type: str
  host:
    description:
      - 'Server as seen from the host: a name, an address, or the folder of its socket; by default
        the local socket.'
      - Host name, address, or folder of the server's socket.
    type: str
  port:
    description:
      - Port of the server; by default 5432.
      - Port from 1 to 65535.
    type: int
  user:
    description:
      - Role to connect as.
      - Role name.
    type: str
  password:
    description:
      - Password of the role; better left on the host, in O(env_file).
      - Password.
    type: str
  env_file:
    description:
      - Environment file on the host that holds the URL or password.
      - Absolute path.
    type: path
  env_key:
    description:
      - 'Variable in O(env_file): a URL such as postgresql://user:password@host/database, or
        else the password alone.'
      - Name of an environment variable.
    type: str
    default: DATABASE_URL
  sslmode:
    description:
      - How TLS is used, as libpq has it; by default prefer.
    type: str
    choices:
      - disable
      - prefer
      - require
      - verify-ca
      - verify-full
  ca_file:
    description:
      - PEM file of the authorities that may vouch for the server; by default the system's.
      - Absolute path.
    type: path
  system_user:
    description:
      - User of the host with whose rights to connect (peer authentication on the local socket),
        whatever user and server a URL names; takes root.
      - User name.
    type: str
  connect_timeout:
    description:
      - Seconds for name lookup, connecting, TLS and authentication together.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '10'
  folder:
    description:
      - Folder that holds the backups.
      - Absolute path.
    type: path
    required: true
  backup:
    description:
      - Backup to compare with; by default the newest good one.
      - Name of a backup.
    type: str
  strict:
    description:
      - Whether lost tables and rows are a failure.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that counting may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 10m
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
- name: Tell which rows a database has lost since a backup, by counting them
  opslib.runbook.postgres_compare:
    folder: /var/backups/postgres
    user: app
- name: Tell which rows a database has lost since a backup, by counting them, with parameters
  opslib.runbook.postgres_compare:
    database: app
    host: 127.0.0.1
    port: 5432
    user: app
    env_file: /etc/app.env
    sslmode: verify-full
    ca_file: /etc/ssl/db-ca.pem
    folder: /var/backups/postgres
    backup: app-20250131-040500
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(backup) (name), C(taken) (UTC), C(taken_age_seconds), C(tables): those that
    differ, at most 200 (C(table), C(before), C(now): null when missing or new), the greatest
    loss first; C(lost_rows) (in all), C(missing_tables) (names), C(backups): good ones, the
    newest first, at most 20 (C(name), C(taken), C(rows)).'
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
