"""Pointing production at a deployment, by promotion or rollback, and seeing it arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opslib.cloud.errors import RefusedError, ServiceError, UnknownOutcomeError
from opslib.cloud.vercel.states import JobStatus
from opslib.host.task import TaskError

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Job, Project
    from opslib.cloud.vercel.task import VercelTask

__all__ = ["arrived", "move"]

_LOOKS = 5  # for a job that nobody knows whether it was begun


def move(task: VercelTask, deployment: str, ask: Callable[[str], None], *, doing: str) -> None:
    """Point production at a deployment and see it there.

    ask: sends the request for the project with this id. A job of somebody else is waited for first; a lost answer is
    made up for by looking. Raises TaskError when Vercel cannot, or does something else.
    """
    while True:
        before = _quiet(task, doing)
        if before.production == deployment:
            return
        lost = None
        try:
            ask(before.id)
        except UnknownOutcomeError as error:
            lost = error
        except RefusedError as error:
            if error.status == 409 and task.client.project().last_alias_request != before.last_alias_request:
                task.say("somebody else was faster; waiting for them")
                continue
            raise
        _follow(task, deployment, before.last_alias_request, lost, doing)
        arrived(task, deployment)
        return


def arrived(task: VercelTask, deployment: str, *, created: int | None = None) -> Project:
    """Wait until the project shows a deployment in production.

    created: when it was made, in milliseconds since 1970. Then a newer one ends the waiting: raises TaskError.
    """

    def there(project: Project) -> bool:
        target = project.targets.production
        if target and target.id != deployment and created is not None and target.created_at > created:
            raise TaskError(f"meanwhile {target.id}, which is newer, is in production instead of {deployment}")
        return project.production == deployment

    return task.patience.until(task.client.project, there, doing=f"waiting for {deployment} to be shown in production")


def _quiet(task: VercelTask, doing: str) -> Project:
    """Wait until no alias job is under way."""

    def quiet(project: Project) -> bool:
        job = project.last_alias_request
        return job is None or not job.under_way

    def seen(project: Any) -> None:
        job = project.last_alias_request
        if not quiet(project):
            task.say(f"waiting for a {job.type} to {job.to_deployment_id} by somebody else, which is {job.job_status}")

    return task.patience.until(
        task.client.project, quiet, doing=f"{doing}: waiting for somebody else's job to end", seen=seen
    )


def _follow(task: VercelTask, deployment: str, before: Job | None, lost: ServiceError | None, doing: str) -> None:
    """Follow our job to its end."""
    looks = 0
    told = None
    for _turn in task.patience.pauses(f"{doing}: waiting for the job to end"):
        project = task.client.project()
        job = project.last_alias_request
        if job is None or job.requested_at == (before.requested_at if before else None):
            looks += 1
            if project.production == deployment:
                return
            if looks >= _LOOKS and lost is not None:
                words = f"{lost}; nothing is seen of it since, so it was most likely not begun: run this again"
                raise UnknownOutcomeError(words, code=lost.code, status=lost.status) from lost
            continue
        if job.to_deployment_id != deployment:
            raise TaskError(
                f"{doing}: meanwhile somebody else asked for a {job.type} to {job.to_deployment_id}; run this again "
                "when it is clear who is to decide"
            )
        if job.job_status != told:
            told = job.job_status
            task.say(f"the {job.type} to {deployment} is {told}")
        if job.job_status is JobStatus.FAILED:
            raise TaskError(
                f"{doing}: Vercel could not move all aliases to {deployment}; see `vercel {job.type} status`"
            )
        if job.job_status is JobStatus.SKIPPED:
            raise TaskError(f"{doing}: Vercel skipped the {job.type} to {deployment} and does not say why")
        if job.job_status is JobStatus.SUCCEEDED:
            return
