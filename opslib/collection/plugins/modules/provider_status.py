# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: provider_status
short_description: Read providers' status pages and say what is down, and which incidents touch
  us
version_added: 0.1.0
description:
  - An incident touches us when it names a component that we use, or names none at all; without
    O(components) for a provider all of its components are ours. Pages are asked for what is
    new only, and not at all within O(max_age); what was read is kept in a private folder. A
    page that cannot be reached is told as it last was, with its age.
  - 'Source: https://www.vercel-status.com/api and the like.'
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
  providers:
    description:
      - The providers to look at.
      - List of provider.
    type: list
    elements: str
    default:
      - supabase
      - vercel
      - anthropic
      - openai
  pages:
    description:
      - URLs of status pages by provider, beside those that are known, or instead of them.
      - Mapping of names to http or https URL.
    type: dict
    default: {}
  components:
    description:
      - The components that we use, by provider, as the page calls them; upper and lower case
        are the same.
      - Mapping of names to list of component.
    type: dict
    default: {}
  fail:
    description:
      - Whether trouble that touches us is a failure.
    type: bool
    default: false
  max_age:
    description:
      - Seconds for which what was read is not asked for again.
      - Duration in seconds, or as 500ms, 30s, 5m, 2h, 30d, 1w.
    type: str
    default: 1m
  cache:
    description:
      - Folder to keep pages in; else opslib/status below the user's cache.
      - Absolute path.
    type: path
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
- name: Read providers' status pages and say what is down
  opslib.runbook.provider_status:
- name: Read providers' status pages and say what is down, with parameters
  opslib.runbook.provider_status:
    pages:
      sentry: https://status.sentry.io
    components:
      openai:
        - Chat Completions
"""

RETURN = r"""
---
reason:
  description: Why there was nothing to do, or what was found.
  returned: always
  type: str
data:
  description: 'C(down), a row for each thing that is not well: C(provider), C(what), C(state),
    C(since) (seconds since 1970, or null), C(touches), C(link); C(providers), for each C(name),
    C(state) (the page''s own summary, or C(unreadable)), C(description), C(url), C(age_seconds),
    C(touched), C(trouble); C(touched) (names of providers whose trouble touches us).'
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
