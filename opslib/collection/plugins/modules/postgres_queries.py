# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_queries
short_description: Find slow statements, big tables that are read whole, and indexes that are
  missing or of no use
version_added: 0.1.0
description:
  - Slow statements come from the extension pg_stat_statements; where it is not there, the result
    says how to get it. Values in statements are never shown. Nothing is changed, and no client
    program is needed on the host.
  - 'Errors: the database cannot be reached. Sources: "The Cumulative Statistics System" and
    "pg_stat_statements" in PostgreSQL''s documentation.'
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
  slow:
    description:
      - Mean time in seconds from which a statement is slow.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1s
  fail:
    description:
      - Fail when more statements than this are slow.
      - Whole number from 0 to 1000000.
    type: int
  top:
    description:
      - How many items each list has at most.
      - Whole number from 1 to 1000.
    type: int
    default: 10
  min_table:
    description:
      - Bytes from which a table that is read whole counts.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 10M
  min_index:
    description:
      - Bytes from which an unused index counts.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 1M
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
- name: Find slow statements, big tables that are read whole
  opslib.runbook.postgres_queries:
    user: app
- name: Find slow statements, big tables that are read whole, with parameters
  opslib.runbook.postgres_queries:
    database: app
    host: 127.0.0.1
    port: 5432
    user: app
    env_file: /etc/app.env
    sslmode: verify-full
    ca_file: /etc/ssl/db-ca.pem
    fail: 5
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(extension) (ready, missing, not created, not loaded, no permission) and C(advice);
    C(slow) (slower than C(slow) on average: C(query), C(calls), C(mean_seconds), C(total_seconds),
    C(rows)), C(slow_count); C(running) (now, for longer than C(slow): C(pid), C(user), C(state),
    C(seconds), C(waits_for), C(query)); C(sequential_scans) (tables of at least C(min_table)
    bytes: C(table), C(size_bytes), C(rows), C(scans), C(rows_read), C(index_scans)); C(unused_indexes)
    (neither unique nor used since C(statistics_since): C(index), C(table), C(size_bytes));
    C(missing_indexes) (foreign keys that no index serves: C(table), C(columns), C(constraint),
    C(size_bytes)); C(statistics_age_seconds). Each list has at most C(top) items, the worst
    first.'
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
