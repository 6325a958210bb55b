"""Host tasks that only tests need: they do on command what real tasks do by mishap."""

from __future__ import annotations

from opslib.host import command
from opslib.host.params import Boolean, Choice, Number, Path, Text
from opslib.host.task import ACTION, MODIFY, Change, Plan, Task, TaskError, param


class Note(Task, name="note"):
    """Keep a text in a file: the smallest task that has a state."""

    path: str = param(Path(), "the file")
    text: str = param(Text(empty=True), "what it is to hold", default="hello")
    sensitive: bool = param(Boolean(), "hide before and after", default=False)

    def probe(self) -> str | None:
        """Return what the file holds."""
        try:
            with open(self.path, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def plan(self, state: str | None) -> Plan:
        """Write when it differs."""
        if state == self.text:
            return Plan(reason="%s is as it should be" % self.path)
        change = Change(
            kind=MODIFY, summary="write %s" % self.path, before=state, after=self.text, sensitive=self.sensitive
        )
        return Plan(changes=[change])

    def apply(self, change: Change) -> None:
        """Write."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(self.text)


HOWS = (
    "fine fail raise die hang stick spawn shed leave abandon chatter fill flood diverge act garbage exit starve denied alien deep tell refuse half "
    "unproven"
).split()


class Mishap(Task, name="mishap"):
    """Go wrong in a chosen way."""

    how: str = param(Choice(*HOWS), "how")
    seconds: float = param(Number(), "how long to hang", default=1000)
    secret: str = param(Text(secret=True, lines=True), "a secret to let slip", default=None)
    path: str = param(Path(), "a file that is made in passing", default=None)

    def probe(self) -> str:
        """Go wrong while reading."""
        if self.how == "fail":
            raise TaskError("it failed as told: %s" % (self.secret or "no secret"), log=["a line", self.secret or ""])
        if self.how == "raise":
            raise RuntimeError("unforeseen: %s" % (self.secret or "no secret"))
        if self.how == "die":
            import os

            os.kill(os.getpid(), 9)
        if self.how == "hang":
            command.run(["sleep", "%d" % self.seconds], timeout=self.seconds + 10)
        if self.how == "spawn":
            command.run(
                ["setsid", "-f", "sh", "-c", "sleep %d & sleep %d" % (self.seconds, self.seconds)], timeout=9999
            )
        if self.how == "shed":
            command.run(["env", "-i", "sh", "-c", "setsid sleep %d; :" % self.seconds], timeout=9999)
        if self.how in ("leave", "abandon"):
            command.run(["setsid", "-f", "sh", "-c", "exec sleep %d >/dev/null 2>&1" % self.seconds])
        if self.how == "abandon":
            import os

            os.abort()
        if self.how == "chatter":
            import os

            os.write(1, b"chatter\n")
            os.write(2, b"chatter\n")
            return "heard %r" % os.read(0, 10)
        if self.how == "exit":
            raise SystemExit(3)
        if self.how == "starve":
            raise MemoryError
        if self.how == "denied":
            open("/proc/self/nothing/here")
        return self.how

    def plan(self, state: str) -> Plan:
        """Plan what cannot come true."""
        if state == "diverge":
            return Plan(changes=[Change(kind=MODIFY, summary="do what does not last", before=1, after=2)])
        if state in ("act", "stick"):
            return Plan(changes=[Change(kind=ACTION, summary="act")])
        if state in ("fill", "flood"):
            return Plan(data={"lines": ["x" * 1000] * (2000 if state == "fill" else 9000)})
        if state == "garbage":
            return Plan(reason="\x1b[31mred\udcff\x00[bold]", data={"\udc80": "\x9b2J"})
        if state == "alien":
            return Plan(data={"object": object()})
        if state == "deep":
            items: list[object] = []
            items.append(items)
            return Plan(data={"deep": items})
        if state == "tell":
            return Plan(reason="%s" % self.secret, warnings=["w %s" % self.secret], data={"d": [self.secret]})
        if state == "refuse":
            return Plan(failure="it is too full", changes=[Change(kind=MODIFY, summary="not this")], data={"used": 99})
        if state in ("half", "unproven"):
            return Plan(changes=[Change(kind=ACTION, summary=word, detail=word) for word in ("first", "second")])
        return Plan(reason="nothing went wrong")

    def apply(self, change: Change) -> None:
        """Do nothing, or fail half-way."""
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(change.summary + "\n")
        if self.how == "stick":
            command.run(["sleep", "%d" % self.seconds], timeout=self.seconds + 10)
        if self.how == "half" and change.detail == "second":
            raise TaskError("the second change failed")

    def verify(self, plan: Plan) -> None:
        """Be satisfied, or not."""
        if self.how == "unproven":
            raise TaskError("it does not prove itself", log=["last words"])
