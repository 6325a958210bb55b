"""What the tasks `deploy`, `rollback` and `releases` have in common: the application they are about, and its state."""

from __future__ import annotations

import time

from opslib.host.params import USER, Choice, Name, Path
from opslib.host.record import Record, field
from opslib.host.task import Task, param
from opslib.host.units.systemd import UnitName
from opslib.host.words import printable

from . import actor as users
from .checkout import Checkout
from .folders import Folders
from .git import Resolved
from .ground import Ground, Served
from .kinds import Inside
from .records import CUT, FOUND, GOOD, Book, Pending
from .serving import Serving
from .unit_file import UnitFiles
from .venv import Pip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from .actor import Actor

RECORDS = "/var/lib/opslib/releases"
SHOWN = 10


class State(Record):
    """What was found. holder: who is at work; problems stand in words; built: what is known of complete releases."""

    now: float
    history: Sequence[dict[str, Any]] = ()
    pending: Pending | None = None
    holder: str = ""
    served: Served = Served()
    kept: Sequence[str] = ()
    built: dict[str, dict[str, Any]] = field(factory=dict)
    ground_problem: str = ""
    unit_problem: str = ""
    unit_stale: bool = False
    down: str = ""
    resolved: Resolved = Resolved()
    rewritten: str = ""

    @property
    def cut_short(self) -> Pending | None:
        """What began and did not end; a pending event that stands in the history had ended, but for this note."""
        at = self.pending
        if at is None or any(row["id"] == at.id and row.get("began") == at.began for row in self.history):
            return None
        return at

    def row(self, identity: str) -> dict[str, Any]:
        """Return what was recorded of a release when it last came into place; empty when nothing was."""
        rows = [row for row in self.history if row["id"] == identity and row["outcome"] in (GOOD, FOUND)]
        return rows[-1] if rows else {}

    def last_switch(self) -> dict[str, Any]:
        """Return the last event that changed what serves, or tried to; empty when there was none."""
        rows = [row for row in self.history if row.get("switched") or row["outcome"] in (GOOD, FOUND, CUT)]
        return rows[-1] if rows else {}


class Application(Task):
    """An application that is released on this host."""

    app: str = param(
        Name("name", longest=64), "Name of the application; its releases are recorded under it.", example="dashboard"
    )
    path: str = param(
        Path(),
        "Folder of the application: of its releases, with the link `current` to the one in place; or its checkout.",
        example="/srv/dashboard",
    )
    strategy: str = param(
        Choice("releases", "in_place"),
        "A folder and an environment for each release, switched in one step; or one checkout that is changed.",
        default="releases",
    )
    unit: str | None = param(UnitName(), "Unit to restart and watch.", default=None, example="dashboard")
    user: str | None = param(
        USER,
        "User that git, pip and migrations run as; the owner of path, if not given.",
        default=None,
        example="dashboard",
    )
    subfolder: str = param(
        Inside(), "Folder of the repository in which the application lies.", default="", example="python-service"
    )
    venv: str = param(
        Inside("name of a folder"), "Virtual environment, relative to the application.", default="venv", example=".venv"
    )
    unit_file: str | None = param(
        Inside(),
        "The unit's file, from the repository's top: installed with the release, and back with the one before.",
        default=None,
        example="deploy/dashboard.service",
    )
    records: str = param(Path(), "Folder in which releases are recorded, for its owner only.", default=RECORDS)

    def check(self) -> None:
        if self.path == "/":
            self.refuse("path cannot be /")
        if not self.venv:
            self.refuse("venv: it is empty; give a folder's name")
        if self.unit_file == "":
            self.refuse("unit_file: it is empty; give a file's name, or leave it out")
        if self.unit_file is not None and self.unit is None:
            self.refuse("unit_file needs unit: the name under which it is installed")

    # --- the parts

    def make_ground(self) -> Ground:
        """Return where the application lies, as this task needs it."""
        return self.ground(Pip(actor=self.actor()))

    def actor(self) -> Actor:
        """Return the user that programs run as."""
        return users.find(self.user, self.path)

    def ground(self, pip: Pip, requirements: str = "requirements.txt", missing_ok: bool = True) -> Ground:
        """Return where the application lies."""
        kind = Checkout if self.in_place() else Folders
        return kind(
            path=self.path,
            actor=pip.actor,
            book=Book(self.records + "/" + self.app),
            pip=pip,
            subfolder=self.subfolder,
            requirements=requirements,
            missing_ok=missing_ok,
            venv=self.venv,
            timeout=pip.timeout,
        )

    def serving(self) -> Serving:
        """Return what is to work."""
        return Serving(unit=self.unit)

    def unit_files(self, ground: Ground) -> UnitFiles:
        """Return the unit file, as releases bring it along."""
        return UnitFiles(ground=ground, unit=self.unit, source=self.unit_file or "")

    def notes(self) -> Sequence[str]:
        """Return what is to be said of the work so far."""
        return ()

    def state(self, ground: Ground, **more: Any) -> State:
        """Look at the application. Reads only."""
        book, serving, unit_files = ground.book, self.serving(), self.unit_files(ground)
        history, pending = book.history(), book.pending()
        served = ground.served(history)
        kept = sorted(ground.kept())
        names = [name for name in [*kept, served.id] if name]
        names += [row["id"] for row in history if row["outcome"] in (GOOD, FOUND)][-100:]
        problem = serving.problem(brought=bool(self.unit_file)) or unit_files.problem()
        return State(
            now=time.time(),
            history=history,
            pending=pending,
            holder=book.holder(),
            served=served,
            kept=kept,
            built={name: facts for name in set(names) for facts in [book.built(name)] if facts},
            ground_problem="" if pending is not None else ground.problem(),
            unit_problem=problem,
            unit_stale=not problem and unit_files.stale(served.commit),
            down="" if problem else serving.down(),
            **more,
        )

    def in_place(self) -> bool:
        """Whether the strategy changes the code that serves."""
        return self.strategy == "in_place"

    # --- planning

    def obstacle(self, state: State) -> str:
        """Return why nothing can be done, or an empty string."""
        if state.holder:
            return "%s is at work on %s; run again when it is done" % (state.holder, self.app)
        return state.unit_problem or state.ground_problem

    def facts(self, state: State) -> dict[str, Any]:
        """Return what `data` holds."""
        served = state.served
        row = state.row(served.id)
        rows = [{key: value for key, value in one.items() if key != "packages"} for one in state.history[-SHOWN:]]
        return {
            "app": self.app,
            "release": served.id,
            "commit": served.commit,
            "ref": str(row.get("ref", "")),
            "since": str(row.get("at", "")),
            "packages": list(state.built.get(served.id, {}).get("packages", [])),
            "kept": list(state.kept),
            "history": rows,
            "pending": state.cut_short is not None,
        }

    def remarks(self, state: State) -> list[str]:
        """Return the warnings."""
        found = []
        if state.served.problem and state.cut_short is None:
            found.append(printable(state.served.problem))
        if state.down:
            found.append("%s; the task service starts it" % state.down)
        return [*found, *self.notes()]
