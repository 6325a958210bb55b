# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: series_quality
short_description: 'Check daily values in a PostgreSQL table: enough days, no gaps, nothing
  that is no number, nothing too old'
version_added: 0.1.0
description:
  - 'A forecast needs a history without faults. Each value of O(series_column) (a user, an account)
    has a series of its own; without that column the whole table is one. Values that are NaN,
    infinite or NULL, and gaps longer than O(max_gap) days, fail the check for any series. Too
    few days, and a newest record older than O(max_age) days, fail it for a series named in
    O(series), and are warnings when all are looked at: there are always new users. Negative
    values are a warning. Everything is counted by the server; the table is read once.'
  - 'Errors: the database cannot be reached or read, no such table or column, values that are
    no numbers at all.'
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
  table:
    description:
      - Table with the records.
      - Table name such as job_runs or app.job_runs.
    type: str
    required: true
  day_column:
    description:
      - Column with the day, or a time.
      - Column name.
    type: str
    default: day
  value_column:
    description:
      - Column with the value.
      - Column name.
    type: str
    required: true
  series_column:
    description:
      - Column that tells series apart.
      - Column name.
    type: str
  series:
    description:
      - Look at these series only, and expect them to have records; all when empty.
      - List of name of a series.
    type: list
    elements: str
    default: []
  least_days:
    description:
      - Days with records that a series must have.
      - Whole number from 1 to 36500.
    type: int
    default: 30
  max_gap:
    description:
      - Missing days in a row that are no fault.
      - Whole number from 0 to 36500.
    type: int
    default: 2
  max_age:
    description:
      - Days that the newest record may be old.
      - Whole number from 0 to 36500.
    type: int
  timeout:
    description:
      - Seconds that the query may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '60'
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
- name: Check daily values in a PostgreSQL table
  opslib.runbook.series_quality:
    table: cost_records
    value_column: cost_usd
    user: app
- name: Check daily values in a PostgreSQL table, with parameters
  opslib.runbook.series_quality:
    database: app
    host: 127.0.0.1
    port: 5432
    user: app
    env_file: /etc/app.env
    sslmode: verify-full
    ca_file: /etc/ssl/db-ca.pem
    table: cost_records
    value_column: cost_usd
    series_column: user_id
    series:
      - alice
    max_age: 2
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(series) (how many), C(records), C(broken), C(few), C(gappy), C(old) (how many
    series are so), C(rows), at most 200, the worst first (C(series), C(days), C(records), C(first_day),
    C(last_day), C(age_days), C(nans), C(infinite), C(nulls), C(negative), C(missing_days),
    C(longest_gap_days), C(gap_from), C(bad_days)), C(unknown) (named series without records).
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
