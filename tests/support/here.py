"""Cloud tasks that only tests need: their cloud is this machine."""

from __future__ import annotations

import os
import time

from opslib.cloud.errors import MismatchError
from opslib.cloud.task import ACTION, CREATE, Change, CloudTask, Plan, param
from opslib.host.params import Number, Path, Text


class Errand(CloudTask, name="errand"):
    """Keep a file here, and tell about the process that does it."""

    path: str | None = param(Path(), "the file", default=None)
    belongs_to: str = param(Text(), "whose the credentials are", default="123")
    secret: str | None = param(Text(secret=True), "not to be told", default=None)

    def scope(self):
        return {"account": "123"}

    def identify(self):
        if self.belongs_to != "123":
            self.say("refused")
            raise MismatchError(f"the credentials belong to {self.belongs_to}, not to 123")
        self.say("identified")

    def look(self):
        self.say("looked")
        with open("/proc/self/cmdline", encoding="utf-8") as file:
            return {"there": self.path is None or os.path.exists(self.path), "pid": os.getpid(), "cmdline": file.read()}

    def compare(self, state):
        data = {"pid": state["pid"], "cmdline": state["cmdline"], "secret": self.secret}
        if state["there"]:
            return Plan(reason="all is well", data=data)
        return Plan(changes=[Change(kind=CREATE, summary=f"write {self.path}")], data=data)

    def apply(self, change):
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL))


class Saga(CloudTask, name="saga"):
    """Begin something that takes for ever, and put it right whatever comes of it."""

    cleanup_seconds = 3.0

    folder: str = param(Path(), "where it leaves traces")
    lasts: float = param(Number(0), "seconds until it has done what it began", default=60)
    mends: float = param(Number(0), "seconds that putting it right takes", default=0.2)

    def scope(self):
        return {"account": "123"}

    def identify(self):
        pass

    def look(self):
        return None

    def compare(self, state):
        return Plan(changes=[Change(kind=ACTION, summary="begin")])

    def apply(self, change):
        self._leave("begun")
        time.sleep(self.lasts)
        self.say("done")

    def clean_up(self):
        self._leave("mending")
        self.say("putting it right")
        time.sleep(self.mends)
        self._leave("put-right")
        return "it was put right"

    def _leave(self, name):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8"):
            pass
