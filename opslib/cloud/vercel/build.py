"""Deploying files to production with Vercel's command line, and following the build to its end."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from typing import TYPE_CHECKING, Any

from opslib.cloud.errors import MalformedError, MismatchError, RefusedError, ServiceError
from opslib.cloud.http import model_of
from opslib.cloud.vercel import command_line
from opslib.cloud.vercel.rows import BUILT_FROM, RUN, VERSION
from opslib.host import wire
from opslib.host.task import TaskError
from opslib.host.words import printable

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Deployment, Project, SourceFiles
    from opslib.cloud.vercel.task import VercelTask

__all__ = ["begin", "digest", "files", "finish", "linked"]

_LOOKS = 4  # for a deployment that nobody knows whether it was made
_LINES = 40
_HOST = re.compile(r"https://([A-Za-z0-9.-]+)\s*$")


def files(task: VercelTask, program: str, directory: str, project: Project) -> SourceFiles:
    """Return what would be sent, by Vercel's own rules of what is left out. Reads only."""
    words = ["deploy", "--dry", "--json", "--prod", "--yes"]
    done = command_line.run(task, program, words, project=project.id, owner=project.account_id, folder=directory)
    if done.code != 0:
        raise RefusedError(f"vercel deploy --dry: {done.said or 'it failed without a word'}")
    from opslib.cloud.vercel import models

    try:
        listed = json.loads(done.text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"vercel deploy --dry: what it prints is no JSON: {error}") from None
    found = model_of(models.SourceFiles, listed, "vercel deploy --dry")
    if len(found.files) != found.file_count:
        raise MalformedError(f"vercel deploy --dry: it names {len(found.files)} of {found.file_count} files")
    return found


def digest(found: SourceFiles) -> str:
    """Return what tells files from other files: a digest of their paths, modes and contents."""
    rows = sorted((each.path, each.mode, each.sha) for each in found.files)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32]


def linked(directory: str) -> str | None:
    """Return the id of the project that a folder is linked to; None when it is to none."""
    try:
        with open(os.path.join(directory, ".vercel", "project.json"), encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise MismatchError(f"{directory}/.vercel/project.json cannot be read: {error}") from None
    name = found.get("projectId") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


def begin(task: VercelTask, program: str, directory: str, project: Project, *, built_from: str, version: str) -> str:
    """Send the files and return the id of the new deployment, which is found by a mark even when the answer is lost."""
    mark = secrets.token_hex(8)
    words = ["deploy", "--prod", "--yes", "--no-wait"]
    for name, value in ((RUN, mark), (BUILT_FROM, built_from), (VERSION, version)):
        words += ["--meta", f"{name}={value}"] if value else []
    done = command_line.run(task, program, words, project=project.id, owner=project.account_id, folder=directory)
    host = _HOST.search(done.text.strip())
    if done.code == 0 and host:
        made = task.client.deployment(host.group(1))
        if made.meta.get(RUN) == mark:
            return made.key
    for look, _turn in enumerate(task.patience.pauses("looking for the deployment that was just sent"), 1):
        for each in task.client.deployments(project.id, 20):
            if each.meta.get(RUN) == mark:
                return each.key
        if look >= _LOOKS:
            break
    raise RefusedError(f"vercel deploy: {done.said or 'it failed without a word'}; no deployment was made")


def finish(task: VercelTask, name: str) -> Deployment:
    """Follow a build to its end and return the deployment. Raises TaskError, with the log's end, when it fails."""

    def seen(deployment: Any) -> None:
        task.say(f"{deployment.key} is {deployment.ready_state}", deployment=deployment.key, url=deployment.url)

    found: Deployment = task.patience.until(
        lambda: task.client.deployment(name),
        lambda deployment: not deployment.ready_state.under_way,
        doing=f"waiting for {name} to be built",
        seen=seen,
    )
    if found.ready_state == "READY":
        return found
    why = f": {found.error_message}" if found.error_message else ""
    raise TaskError(
        f"{name} ended in {found.ready_state}{why}; production was not changed",
        deployment=name,
        inspect=found.inspector_url,
        log=_log(task, name),
    )


def _log(task: VercelTask, name: str) -> list[str]:
    try:
        events = task.client.build_log(name, _LINES)
    except ServiceError as error:
        return [f"(the build log cannot be read: {error})"]
    lines = [line for event in events for line in (event.text or "").splitlines()]
    hidden = list(task.secrets())
    return [printable(str(wire.mask(line, hidden)))[:500] for line in lines if line.strip()][-_LINES:]
