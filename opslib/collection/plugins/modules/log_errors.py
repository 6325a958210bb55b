# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: log_errors
short_description: Count the errors that logs hold of a time window, and show the patterns,
  the first, the last and when they came
version_added: 0.1.0
description:
  - Reads text and JSON lines, rotated and compressed neighbours too (app.log.1, app.log.2.gz,
    app.log-20260101.gz, also .bz2 and .xz) when they were written to within the window. The
    beginning of the window is found by bisecting on the times in the file, so that of a log
    of gigabytes little more than the window is read; compressed files have to be read from
    their beginning.
  - An entry is a line that bears a time and the lines without one below it, such as a traceback;
    it counts once. Times may be ISO 8601 (with or without zone and fraction), C(2026-01-02
    03:04:05,678), syslog's C(Jan 2 03:04:05) (its year is guessed), C([02/Jan/2026:03:04:05
    +0000]), Apache's error log, seconds or milliseconds since 1970, or a JSON object's ts,
    time, timestamp or @timestamp. Lines up to a minute out of order are found all the same;
    each is judged by its own time. A level is the first word of a level near the beginning
    of the line, or of a JSON object the member level, severity or their like; where there is
    none, a word anywhere in the entry.
  - For patterns, numbers, ids, UUIDs, hexadecimal numbers and addresses are put as one. What
    looks like a password, token or key is masked in patterns and samples. Nothing is changed.
  - 'Errors: no file is there, no file bears times, the host does not know the time zone. Sources:
    RFC 3339, RFC 3164, logrotate(8), zlib(3).'
author:
  - opslib contributors (@opslib)
options:
  paths:
    description:
      - Log files, patterns, and folders (for the *.log in them), absolute.
      - List of absolute path.
    type: list
    elements: path
    default:
      - /var/log/*.log
      - /var/log/*/*.log
      - /var/log/syslog*
      - /var/log/messages*
  since:
    description:
      - The window begins this many seconds ago.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1h
  until:
    description:
      - The window ends this many seconds ago.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '0'
  levels:
    description:
      - What counts as an error; entries of any level when the list is empty.
      - List of log level.
    type: list
    elements: str
    default:
      - ERROR
      - CRITICAL
      - FATAL
  match:
    description:
      - Count entries in which this regular expression is found.
      - Regular expression.
    type: str
  fields:
    description:
      - Count JSON entries whose members, by name or dotted path, have these values.
      - Mapping.
    type: dict
    default: {}
  warn:
    description:
      - Warn when there are more errors than this.
      - Whole number from 0 to 1000000000000000.0.
    type: int
  fail:
    description:
      - Fail when there are more errors than this.
      - Whole number from 0 to 1000000000000000.0.
    type: int
  silent:
    description:
      - Warn when nothing was logged for this many seconds; O(since) if not given.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
  timezone:
    description:
      - The zone of times that name none; the host's own if not given.
      - Time zone such as UTC, +02:00 or Europe/Berlin.
    type: str
  top:
    description:
      - How many patterns to list.
      - Whole number from 0 to 500.
    type: int
    default: 10
  samples:
    description:
      - How many entries to show of each pattern.
      - Whole number from 0 to 20.
    type: int
    default: 1
  buckets:
    description:
      - Into how many equal parts the window is counted.
      - Whole number from 1 to 1440.
    type: int
    default: 12
  read_limit:
    description:
      - Bytes to read at most, after unpacking.
      - Size in bytes, or as 512K, 100M, 2G, 1T.
    type: str
    default: 2G
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
- name: Count the errors that logs hold of a time window
  opslib.runbook.log_errors:
- name: Count the errors that logs hold of a time window, with parameters
  opslib.runbook.log_errors:
    paths:
      - /srv/app/logs/app.log
      - /var/log/nginx/*.log
    since: 30m
    until: 5m
    match: scheduler|forecast
    fields:
      user_id: '42'
    warn: 0
    fail: 100
    silent: 5m
    timezone: UTC
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(count) of errors; C(since), C(until) (UTC), C(window_seconds); C(per_minute);
    C(first), C(last) (UTC, null if none); C(patterns), at most C(top), the most frequent first:
    C(pattern), C(count), C(first), C(last), C(samples) (C(path), C(text)); C(pattern_count);
    C(buckets), the window in equal parts: C(start) (UTC), C(count); C(bucket_seconds); C(newest)
    (UTC, the latest time in the logs), C(newest_age_seconds); C(bytes_read) (from the disk),
    C(lines_read), C(log_bytes) (the size of the files), C(files) (at most 50: C(path), C(size_bytes),
    C(count)), C(file_count), C(missing), C(undated) (files in which no time was found), C(complete)
    (false when C(read_limit) left something out).'
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
