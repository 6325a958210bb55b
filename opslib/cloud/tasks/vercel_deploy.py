"""Deploy a folder to a Vercel project's production."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.cloud.errors import MismatchError
from opslib.cloud.task import ACTION, MODIFY, Change, Plan, TaskError, param
from opslib.cloud.vercel import build
from opslib.cloud.vercel.command_line import Program
from opslib.cloud.vercel.production import arrived, move
from opslib.cloud.vercel.rows import BUILT_FROM
from opslib.cloud.vercel.site import SiteTask
from opslib.cloud.vercel.variables import changed_since
from opslib.host.params import Boolean, Name, Path
from opslib.host.words import count, listed, size

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Deployment, Project, SourceFiles, Variable

__all__ = ["VercelDeploy"]


@dataclass(frozen=True, slots=True)
class _Seen:
    project: Project
    files: SourceFiles
    newest: list[Deployment]
    variables: list[Variable]


class VercelDeploy(SiteTask, name="vercel_deploy"):
    """Deploy a folder of the controller to production, follow the build, and see it in production and on its page.

    Vercel's own command line sends the files. Nothing is done when what is in production was built from the same files
    by this task, and no environment variable of production was changed since. A deployment that an earlier run began
    is followed instead of sent again; a lost answer is made up for by looking. When production domains are not assigned
    to new deployments, because of a rollback, the new deployment is promoted.

    data: `files` (how many), `bytes`, `built_from` (a digest of the files), `production` (id), `url`. When a build
    fails, `log` holds its last lines and `inspect` where to read on.

    Sources: https://vercel.com/docs/cli/deploy, https://vercel.com/docs/deployments
    """

    directory: str = param(Path(), "Folder on the controller to deploy.", example="/srv/dashboard/frontend")
    version: str | None = param(
        Name("version", "._-+", 100),
        "What to call it, such as a tag; it is shown in lists.",
        default=None,
        example="1.4.2",
    )
    again: bool = param(Boolean(), "Deploy even if nothing is different.", default=False)
    program: str = param(Program(), "Vercel's command line: name or path.", default="vercel")

    def look(self) -> _Seen:
        if not os.path.isdir(self.directory):
            raise TaskError(f"{self.directory} is no folder on the controller")
        project = self.client.project()
        link = build.linked(self.directory)
        if link is not None and link != project.id:
            raise MismatchError(f"{self.directory} is linked to {link}, but {self.project} is {project.id}")
        files = build.files(self, self.program, self.directory, project)
        newest = self.client.deployments(project.id, 20, target="production")
        return _Seen(project, files, newest, self.client.variables())

    def compare(self, state: _Seen) -> Plan:
        project, target = state.project, state.project.targets.production
        wanted = build.digest(state.files)
        data: dict[str, Any] = {
            "files": state.files.file_count,
            "bytes": state.files.total_size,
            "built_from": wanted,
            "production": project.production,
            "url": target.url if target else None,
        }
        if not state.files.files:
            return Plan(failure=f"{self.directory} holds nothing to deploy", data=data)
        private = [each.path for each in state.files.files if os.path.basename(each.path).startswith(".env")]
        warnings = [f"it would be sent along: {listed(private)}; name it in .vercelignore"] if private else []
        since = target.created_at if target else 0
        changed = changed_since(state.variables, since)
        why = []
        if target is None:
            why.append("nothing is in production")
        elif target.meta.get(BUILT_FROM) != wanted:
            why.append("its files differ from those in production")
        if target is not None and changed:
            why.append(f"{listed(changed)} changed since that was built")
        if not why and not self.again:
            return Plan(reason=f"{project.production} was built from the same files", warnings=warnings, data=data)
        begun = _begun(state, wanted, max(since, *[each.updated_at or 0 for each in state.variables], 0))
        words = f"follow {begun}, which an earlier run began" if begun else f"deploy {self.directory} to production"
        if not project.auto_assign_custom_domains:
            words += ", and promote it (production domains are not assigned to new deployments)"
        facts = f"{count(state.files.file_count, 'file')}, {size(state.files.total_size)}"
        change = Change(
            kind=MODIFY if why else ACTION,
            summary=f"{words}: {'; '.join(why) or 'again, as asked'}",
            before=project.production,
            after=f"{self.version or wanted[:12]} ({facts})",
            detail={"begun": begun, "built_from": wanted},
        )
        return Plan(changes=[change], warnings=warnings, data=data)

    def apply(self, change: Change) -> None:
        project = self.client.project()
        name = change.detail["begun"] or build.begin(
            self,
            self.program,
            self.directory,
            project,
            built_from=change.detail["built_from"],
            version=self.version or "",
        )
        built = build.finish(self, name)
        if self.client.project().auto_assign_custom_domains:
            arrived(self, name, created=built.created_at)
        else:
            move(self, name, lambda place: self.client.promote(place, name), doing=f"promoting {name}")


def _begun(state: _Seen, wanted: str, since: int) -> str | None:
    """Return a deployment of these files that is under way or ready, newer than all that matters."""
    for each in state.newest:
        alive = each.ready_state.under_way or each.ready_state == "READY"
        if alive and each.meta.get(BUILT_FROM) == wanted and each.created_at > since:
            return each.key
    return None
