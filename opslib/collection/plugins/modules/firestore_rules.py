# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: firestore_rules
short_description: Read, test or release the security rules of a Firestore database
version_added: 0.1.0
description:
  - 'mode: C(read) tells what is in force; C(test) compiles rules and tries O(cases) on them;
    C(deploy) does the same, then releases them; C(temporary) adds the C(match) blocks in O(add)
    to the rules that are in force, for O(ttl); C(revert) takes these out again. What is released
    must compile and pass the cases; nothing is released over what somebody else released in
    between: that is looked at right before each request, for the service knows no precondition.'
  - 'Temporary rules end by themselves, even if nobody ever comes back: every C(allow) of them
    is also bound to C(request.time), so that after the time to live the rules grant no more
    than they did before. A later C(revert) only tidies up. Google may take a minute until a
    release is in force everywhere.'
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
  mode:
    description:
      - What to do.
    type: str
    default: read
    choices:
      - read
      - test
      - deploy
      - temporary
      - revert
  source:
    description:
      - The rules, for C(test) and C(deploy); C(test) takes those in force otherwise.
      - Text of rules.
    type: str
  file:
    description:
      - 'Instead of O(source): a file on this machine that holds the rules.'
      - Absolute path.
    type: path
  cases:
    description:
      - 'What must be allowed or denied: C(expect) (allow, deny), C(method) (get, list, create,
        update, delete), C(path) of a document, C(user) (id; nobody if not given), C(there)
        (the document''s fields), C(new) (fields written).'
      - List of mapping.
    type: list
    elements: dict
    default: []
  add:
    description:
      - "For C(temporary): blocks such as C(match /users/{user} { \u2026 })."
      - Match blocks.
    type: str
  ttl:
    description:
      - 'For C(temporary): seconds until they grant nothing; at most 1h.'
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
- name: Read, test or release the security rules of a Firestore database
  opslib.runbook.firestore_rules:
    project: spendsense-test
- name: Read, test or release the security rules of a Firestore database, with parameters
  opslib.runbook.firestore_rules:
    project: spendsense-test
    file: /srv/firestore.rules
    cases:
      - expect: deny
        method: get
        path: users/u1
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: C(ruleset) (name), C(released) (UTC), C(source), C(temporary) (null, or C(until)
    (UTC), C(over), the ruleset before, and C(expired)), C(warnings) of the compiler.
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
