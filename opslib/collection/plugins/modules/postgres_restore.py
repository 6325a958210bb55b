# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_restore
short_description: Restore a PostgreSQL database from a backup that `postgres_backup` made,
  without ever serving half of it
version_added: 0.1.0
description:
  - "In this order: the units in O(units) that run are stopped; what the database holds now\
    \ is backed up (C(DATABASE-safety-\u2026.dump), never taken for a restore unless named,\
    \ and never removed); the backup is restored into a new database, with the owner, settings\
    \ and rights of the old one, and analyzed; each table must have the number of rows that\
    \ the manifest says; the two databases exchange names in one transaction, which cuts off\
    \ whoever is still connected; the units are started and watched; the old database is dropped,\
    \ unless O(keep_old). Whenever one of these fails, the old data is where it was and the\
    \ units are started again. What has become of an exchange during which the connection was\
    \ lost is asked over another one; the error says so where nobody answers. Such a run, and\
    \ a killed one, leaves a note beside the backups; the next run starts the units that it\
    \ had stopped and drops what it left, then goes on."
  - 'Where the role may not create databases, C(method: in_place) restores over the objects
    that are there, in one transaction; objects that are not in the backup stay, and extensions
    are left as they are. A restore is done once: as long as the database is the one that was
    made from this backup, it is not made again, unless O(again). A missing database is created.'
  - 'Errors: no such backup, a broken one, a newest one dated in the future (name one then),
    a unit that is unknown or does not stop or start, too little space for the safety backup,
    an error of pg_restore, other numbers of rows. Sources: pg_restore(1), ALTER DATABASE.'
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
      - Backup to restore; by default the newest.
      - Name of a backup.
    type: str
  units:
    description:
      - Systemd units that write to the database, in the order in which they are stopped.
      - List of systemd unit name.
    type: list
    elements: str
    default: []
  method:
    description:
      - Restore into a new database and exchange names, or over what is there.
    type: str
    default: swap
    choices:
      - swap
      - in_place
  safety:
    description:
      - Whether to back up first what the database holds now.
    type: bool
    default: true
  keep_old:
    description:
      - Whether to keep the old database, as DATABASE_before_YYYYMMDD_HHMMSS.
    type: bool
    default: false
  again:
    description:
      - Whether to restore even what was restored from this backup already.
    type: bool
    default: false
  keep_free:
    description:
      - Bytes that the safety backup must leave free in the folder.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 256M
  settle:
    description:
      - Seconds that each unit must stay up once started.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '3'
  start_timeout:
    description:
      - Seconds in which each unit must start or stop.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '90'
  timeout:
    description:
      - Seconds that the restore may take, without the units.
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
- name: Restore a PostgreSQL database from a backup that `postgres_backup` made, without ever
    serving half of it
  opslib.runbook.postgres_restore:
    folder: /var/backups/postgres
    user: app
- name: Restore a PostgreSQL database from a backup that `postgres_backup` made, without ever
    serving half of it, with parameters
  opslib.runbook.postgres_restore:
    database: app
    host: 127.0.0.1
    port: 5432
    user: app
    env_file: /etc/app.env
    sslmode: verify-full
    ca_file: /etc/ssl/db-ca.pem
    folder: /var/backups/postgres
    backup: app-20250131-040500
    units:
      - app.service
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(database), C(backup) (name), C(taken) (UTC), C(taken_age_seconds), C(tables),
    C(rows), C(units) (name to state), C(other_connections), C(restored) (UTC, when this backup
    was restored and still is, or null); what this run did: C(safety_backup) (path or null),
    C(old_database) (name, when kept), C(seconds).'
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
