# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificates
short_description: Look at the certificates in files and behind TLS ports of or near the host,
  and say which expire, and when
version_added: 0.1.0
description:
  - All certificates of a file count, so a chain with an expired link is found. What a port
    shows is read without checking who signed it. Files are read as PEM and as DER. Of files
    found by a pattern, one that holds no certificate (a key, a request) is passed over, and
    one that cannot be read is warned of. Nothing is changed.
  - 'Errors: a port that does not answer or speaks no TLS; a file that is named, without * and
    the like, and is missing, cannot be read or holds no certificate. Sources: RFC 5280, RFC
    7468, x509(1) of OpenSSL, Python''s ssl.'
author:
  - opslib contributors (@opslib)
options:
  files:
    description:
      - Files and patterns, absolute.
      - List of absolute path.
    type: list
    elements: path
    default:
      - /etc/letsencrypt/live/*/cert.pem
      - /etc/nginx/ssl/*
      - /etc/apache2/ssl/*
      - /etc/ssl/local/*
  endpoints:
    description:
      - TLS ports, as 443 or host:port.
      - List of port, or host:port such as www.example.org:443 or [::1]:443.
    type: list
    elements: str
    default: []
  warn:
    description:
      - Warn of what expires within so many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 30d
  fail:
    description:
      - Fail when something expires within so many seconds.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 7d
  timeout:
    description:
      - Seconds that a port may take to answer.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: '10'
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
- name: Look at the certificates in files and behind TLS ports of or near the host
  opslib.runbook.certificates:
- name: Look at the certificates in files and behind TLS ports of or near the host, with parameters
  opslib.runbook.certificates:
    files:
      - /etc/nginx/ssl/*.pem
    endpoints:
      - '443'
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(certificates) (at most 200, the first to expire first): C(where) (path, or
    host:port), C(subject), C(names) (at most 20), C(issuer), C(not_before), C(not_after) (UTC),
    C(expires_seconds) (negative: it has expired); C(certificates_count), C(unreadable) in words.'
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
