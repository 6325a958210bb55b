# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: scheduler_jobs
short_description: Read what scheduled jobs did, and fail when one is late, failing, stuck,
  never ran, or is not there at all
version_added: 0.1.0
description:
  - What is known comes from a health page (O(url)), whose JSON has C(job_history) (and perhaps
    O(jobs), C(running) and O(timezone)), from a table with a row per run (O(table)), or from
    both; of runs the table's count, for a page often shows the latest only. The usual names
    for a run's members are understood. With neither it is a check of the cron expressions in
    O(jobs) and tells when they come next.
  - 'When a job was due follows from its cron expression: that in O(jobs), else the one that
    the page tells. A job without one is judged by its last runs alone. A job is C(late) when
    it has not started since it was last due, more than O(grace) ago; C(failing) when its last
    O(failures) runs failed; O(stuck) when it has run for longer than O(stuck); C(never) when
    no run is known; C(missing) when the scheduler does not list it; C(invalid) when its expression
    cannot be read; C(unsure) (a warning) when the page''s history does not reach back far enough,
    or its newest run has a time that is still to come, or runs and it is not told since when.
    Expressions have five fields, or are @daily and the like; what APScheduler says of its triggers
    (C(cron[minute=''5'']), C(interval[0:15:00])) is read as well. A scheduler that says it
    does not run is a failure, and there is a warning when it means to run a job at another
    time than the expression says.'
  - 'Secrets of the page''s request and of the database are masked. Sources: crontab(5), APScheduler''s
    CronTrigger.'
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
  url:
    description:
      - Page whose JSON tells of jobs and runs, as seen from the host.
      - Http or https URL.
    type: str
  request_headers:
    description:
      - Headers to send, such as Authorization; never shown.
      - Mapping of HTTP header names to values.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds that the page may take.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '10'
  table:
    description:
      - Table of the database with a row per run.
      - Table name such as job_runs or app.job_runs.
    type: str
  columns:
    description:
      - Columns of the table for id, job, started, finished, status and error; empty where there
        is none.
      - Mapping of id, job, started, finished, status, error to names of columns.
    type: dict
    default:
      id: id
      job: job
      started: started_at
      finished: finished_at
      status: status
      error: error
  jobs:
    description:
      - 'Jobs that must be there, with their cron expressions (empty: as the page tells).'
      - Mapping of names to cron expression.
    type: dict
    default: {}
  dialect:
    description:
      - 'How to read expressions: cron counts weekdays from Sunday, apscheduler (from_crontab)
        from Monday.'
    type: str
    default: cron
    choices:
      - cron
      - apscheduler
  timezone:
    description:
      - Zone of the expressions; by default what the page says, or else UTC.
      - Time zone such as UTC, +02:00 or Europe/Berlin.
    type: str
  naive_timezone:
    description:
      - Zone of times of runs that name none, on the page and in the table.
      - Time zone such as UTC, +02:00 or Europe/Berlin.
    type: str
    default: UTC
  grace:
    description:
      - Seconds that a job may be late.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 5m
  failures:
    description:
      - Failed runs in a row that make a job a failing one.
      - Whole number from 1 to 20.
    type: int
    default: 1
  stuck:
    description:
      - Seconds that a run may take.
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
- name: Read what scheduled jobs did
  opslib.runbook.scheduler_jobs:
    url: http://127.0.0.1:8000/health/scheduler
- name: Read what scheduled jobs did, with parameters
  opslib.runbook.scheduler_jobs:
    database: app
    host: 127.0.0.1
    port: 5432
    sslmode: verify-full
    ca_file: /etc/ssl/db-ca.pem
    url: http://127.0.0.1:8000/health/scheduler
    columns:
      job: job_name
      error: ''
    jobs:
      anthropic_collection: '*/15 * * * *'
      aggregate_refresh: 30 2 * * *
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(jobs) by name (C(state), C(words), C(cron), C(due_at), C(next_at), C(last_run):
    C(id), C(started_at), C(finished_at), C(status), C(error); C(failures_in_a_row)), C(timezone),
    C(running) (null when it is not told), C(status) (of the page''s answer), C(run_count),
    C(checked_at); times in UTC. On a page that cannot be read: C(problem), as http_check''s.'
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
