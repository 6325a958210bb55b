# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_proof
short_description: Prove that the newest backup of a database can be restored, by restoring
  it into a scratch database
version_added: 0.1.0
description:
  - 'In this order: the dump has the size and checksum that its manifest says; pg_restore reads
    and unpacks it to its end; it restores without any error into a new database, which nothing
    else uses, with the encoding and locale of the original; there each table has the number
    of rows that the manifest says. The scratch database is dropped whatever happens; one that
    a killed run left is dropped by the next run. Owners, rights, publications and subscriptions
    are not restored there. The outcome is kept beside the backup (C(NAME.proof)); a proof younger
    than O(max_age) is not done again.'
  - O(backup) names one backup; without it the newest is taken, and a newest one that is broken
    is a failure. Backups and proofs dated in the future, as by a clock that was ahead, are
    passed over with a warning. The server for the scratch database may be another one than
    the backup came from. The role must be allowed to create databases.
  - 'Errors: there is no backup, size or checksum differ, the dump cannot be read or restored,
    counts differ, the server cannot be reached, the role may not create databases. Sources:
    pg_restore(1), CREATE DATABASE.'
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
      - Backup to prove; by default the newest.
      - Name of a backup.
    type: str
  max_age:
    description:
      - Prove again when the last proof of this backup is older than this, in seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 7d
  max_backup_age:
    description:
      - Fail when the newest backup is older than this, in seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  timeout:
    description:
      - Seconds that the whole proof may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 2h
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
- name: Prove that the newest backup of a database can be restored, by restoring it into a scratch
    database
  opslib.runbook.postgres_proof:
    folder: /var/backups/postgres
    user: app
- name: Prove that the newest backup of a database can be restored, by restoring it into a scratch
    database, with parameters
  opslib.runbook.postgres_proof:
    database: app
    host: 127.0.0.1
    port: 5432
    user: app
    env_file: /etc/app.env
    sslmode: verify-full
    ca_file: /etc/ssl/db-ca.pem
    folder: /var/backups/postgres
    backup: app-20250131-040500
    max_backup_age: 26h
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(backup) (name), C(taken) and C(taken_age_seconds) (null when dated in the
    future), C(bytes), C(tables), C(rows), C(proven) (UTC, or null), C(proof_seconds) (how long
    the last one took: about what a restore will take), C(left_scratch) (names).'
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
