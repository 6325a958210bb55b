# Copyright: (c) the opslib contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by `python -m opslib.collection_build`; edit the task's class instead.
from __future__ import annotations

from ansible_collections.opslib.runbook.plugins.plugin_utils.task_action import TaskAction


class ActionModule(TaskAction, task="postgres_compare"):
    """Carries the task `postgres_compare`."""
