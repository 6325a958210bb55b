# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_backup
short_description: Back up a PostgreSQL database to a folder on the host, and keep as many backups
  as are wanted
version_added: 0.1.0
description:
  - 'A backup is a dump in pg_dump''s custom format (mode 0600) and a manifest beside it: checksum,
    size, versions, and the number of rows of each table, counted in the very snapshot that
    was dumped. It is written aside, read back, and gets its name last, so that a run killed
    at any point leaves no half backup that counts; the next run removes what is left of it.
    When the newest good backup is younger than O(max_age), nothing is done.'
  - 'Older backups are removed only after a new one is complete, and only those whose manifest
    says that this task wrote them: the newest O(keep) stay, and whatever is younger than O(keep_for).
    A backup that looks broken, or is dated in the future, as by a clock that was ahead, is
    left alone and not counted; a warning says so.'
  - 'Errors: the database cannot be reached or read, pg_dump is missing or older than the server,
    a table stays locked for a minute, time or space runs out. Sources: pg_dump(1), pg_export_snapshot
    in PostgreSQL''s documentation.'
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
      - Folder for the backups, made (mode 0700) when missing.
      - Absolute path.
    type: path
    required: true
  max_age:
    description:
      - Back up when the newest good backup is older than this, in seconds; 0 for always.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 15m
  keep:
    description:
      - How many of the newest good backups always stay.
      - Whole number from 1 to 10000.
    type: int
    default: 7
  keep_for:
    description:
      - Age in seconds below which no backup is removed.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '0'
  keep_free:
    description:
      - Bytes that must stay free on the file system of the folder.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 256M
  timeout:
    description:
      - Seconds that counting and dumping may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1h
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
- name: Back up a PostgreSQL database to a folder on the host
  opslib.runbook.postgres_backup:
    folder: /var/backups/postgres
    user: app
- name: Back up a PostgreSQL database to a folder on the host, with parameters
  opslib.runbook.postgres_backup:
    database: app
    host: 127.0.0.1
    port: 5432
    user: app
    env_file: /etc/app.env
    sslmode: verify-full
    ca_file: /etc/ssl/db-ca.pem
    folder: /var/backups/postgres
    keep_for: 30d
    keep_free: 2G
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(database), C(server_version), C(size_bytes) (of the database), C(free_bytes)
    (in the folder), C(newest) (path of the newest good dump, or null), C(newest_age_seconds),
    C(backups) (C(name), C(taken) in UTC, C(bytes), C(rows), C(proven) in UTC or null, C(problem)),
    at most 20, the newest first; what this run did: C(made) (path or null), C(removed) (names
    of backups).'
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
