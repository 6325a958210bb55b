"""What the tasks that put a release in place have in common: `deploy` and `rollback`."""

from __future__ import annotations

from opslib.host.params import Boolean, Duration, ListOf, Path, Port, Text, Url
from opslib.host.plan import ACTION, MODIFY, Change
from opslib.host.task import TaskError, param
from opslib.host.tasks.service import Asking, Check
from opslib.host.words import printable

from .application import Application
from .kinds import Place, Program
from .records import title
from .schema import Schema
from .serving import Serving
from .transition import Target, Transition
from .venv import Pip
from .way_back import give_up, recover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from .application import State
    from .ground import Ground

WORDS = ListOf(Text("word"), longest=100)


class Mover(Asking, Application):
    """A task that puts another release in place, and the one before again when that does not work."""

    port: int | None = param(
        Port(), "TCP port that one of the unit's own processes must listen on.", default=None, example=8000
    )
    http: dict[str, Any] | None = param(
        Check(),
        "URL that must answer 200, or a mapping of the parameters of http_check.",
        default=None,
        example={"url": "http://127.0.0.1:8000/health", "json": {"status": "healthy"}},
    )
    settle: float = param(
        Duration(), "Seconds that the unit must stay up after its restart before it counts as good.", default=3
    )
    start_timeout: float = param(
        Duration(low=0.1), "Seconds within which the unit must be up, with its port and its answer.", default=90
    )
    watch: float = param(
        Duration(),
        "Seconds to go on watching: a crash, a restart or two bad answers in a row undo the release.",
        default=0,
        example="1m",
    )
    env_file: str | None = param(
        Path(),
        "Environment file (systemd's form) whose variables migrations get; never shown.",
        default=None,
        example="/etc/dashboard.env",
    )
    migrate: list[str] = param(
        WORDS,
        "Command that brings the schema up, as a list of words; run in the new release, with its environment.",
        default=[],
        example=["python", "migrate.py"],
    )
    migrate_down: list[str] = param(
        WORDS,
        "Command that takes the schema back; run in the newer release. Without it the schema stays as it is.",
        default=[],
        example=["python", "migrate.py", "--to", "2"],
    )
    python: str = param(
        Program(), "Python to make virtual environments with.", default="python3", example="/usr/bin/python3.11"
    )
    find_links: str | None = param(
        Place(), "Folder or page with packages for pip.", default=None, example="/srv/wheels"
    )
    index_url: str | None = param(Url(), "Package index for pip; without credentials.", default=None)
    no_index: bool = param(Boolean(), "Have pip use find_links only.", default=False)
    timeout: float = param(
        Duration(low=1), "Seconds for each single program: git, pip, a migration.", default="15m", example="1h"
    )

    def check(self) -> None:
        super().check()
        if self.port and self.unit is None:
            self.refuse("port needs unit: it is one of the unit's own processes that must listen")
        if self.no_index and self.find_links is None:
            self.refuse("no_index needs find_links, or there are no packages at all")
        if self.migrate_down and not self.migrate:
            self.refuse("migrate_down needs migrate: without it a schema that was taken back could not be brought up")

    def make_ground(self) -> Ground:
        return self.ground(self.pip())

    def pip(self) -> Pip:
        """Return how environments are made."""
        return Pip(
            actor=self.actor(),
            python=self.python,
            find_links=self.find_links,
            index_url=self.index_url,
            no_index=self.no_index,
            timeout=self.timeout,
        )

    def serving(self) -> Serving:
        """Return what is to work."""
        return Serving(
            unit=self.unit,
            port=self.port,
            http=self.http,
            settle=self.settle,
            start_timeout=self.start_timeout,
            watch=self.watch,
        )

    def recovery(self, state: State, then: str = "") -> list[Change]:
        """Return the change that puts right what a run that was cut short has left; then: why no more can be done."""
        at = state.pending
        if at is None:
            return []
        words = "put right what the %s of %s, cut short, has left"
        if state.cut_short is None:
            words = "note that the %s of %s has ended"
        words %= (at.act, title(at._values()))
        return [Change(kind=MODIFY, summary=words, detail={"do": "recover", "then": then, "known": state.history})]

    def unit_change(self) -> list[Change]:
        """Return the change that installs the release's unit file; whether that differs is known only then."""
        if self.unit_file is None:
            return []
        words = "install %s of the release as %s, if it differs" % (printable(self.unit_file), self.unit)
        return [Change(kind=MODIFY, summary=words, detail={"do": "unit"}, certain=False)]

    def start(self) -> list[Change]:
        """Return the change that has the release serve."""
        if self.unit is None and self.http is None:
            words = "take it for good: neither unit nor http is given"
        else:
            words = "restart %s and see that it works" % self.unit if self.unit else "see that it answers"
            words += ", watching it for %g s" % self.watch if self.watch else ""
        return [Change(kind=ACTION, summary=words, detail={"do": "serve"})]

    # --- carrying out

    def _run(self) -> Transition | None:
        run = self.__dict__.get("_transition")
        return run if isinstance(run, Transition) else None

    def notes(self) -> Sequence[str]:
        run = self._run()
        return run.notes if run is not None else ()

    def _entered(self, known: Sequence[dict[str, Any]]) -> Transition:
        """Return the run at work; before the first step it takes the lock."""
        run = self._run()
        if run is None:
            schema = Schema(up=self.migrate, down=self.migrate_down, env_file=self.env_file, timeout=self.timeout)
            ground = self.make_ground()
            run = Transition(self.app, ground, self.serving(), schema, self.unit_files(ground))
            run.enter(known)
            object.__setattr__(self, "_transition", run)
        return run

    def apply(self, change: Change) -> None:
        run = self._run()
        try:
            run = self._entered(change.detail.get("known", ()))
            self.carry_out(run, change.detail)
        except TaskError as error:
            self._fail(run, str(error), error.data)
        except OSError as error:
            where = ": %s" % printable(str(error.filename)) if error.filename else ""
            self._fail(run, "%s%s" % (error.strerror or error, where), {})

    def _fail(self, run: Transition | None, words: str, data: dict[str, Any]) -> None:
        try:
            words = give_up(run, words) if run is not None else words
        except TaskError as error:
            words = "%s; and %s" % (words, error)
        finally:
            if run is not None:
                data = dict(data, notes=run.notes) if run.notes else data
                run.leave()
        raise TaskError(words, **data) from None

    def carry_out(self, run: Transition, detail: dict[str, Any]) -> None:
        """Do one step."""
        what = detail["do"]
        if what == "recover":
            self._recover(run, detail["then"])
            return
        if run.pending is None and "target" in detail and what != "prune":
            run.begin(Target(**detail["target"]), run.book.history())
        if what == "build":
            run.build(detail["target"]["build"])
        elif what == "migrate":
            run.migrate()
        elif what == "migrate_down":
            run.undo_schema()
        elif what == "switch":
            run.switch(detail["target"]["build"])
        elif what == "unit":
            run.install_unit()
        elif what == "serve":
            run.serve()

    def _recover(self, run: Transition, then: str) -> None:
        pending = run.book.pending()
        if pending is not None:
            run.notes += [
                "of the %s that was cut short: %s" % (pending.act, "; ".join(recover(run, pending)) or "it had ended")
            ]
        then = then or run.ground.problem()
        if then:
            raise TaskError("%s; and now: %s" % (run.notes[-1] if run.notes else "", then))

    def verify(self, plan: Any) -> None:
        run = self._run()
        if run is not None:
            run.leave()
