"""Run real payloads over the local carrier and listen to what they answer."""

from __future__ import annotations

import os
from typing import Any

from opslib.carriers import payload
from opslib.carriers.base import Deadline
from opslib.carriers.local import LocalConnection
from opslib.carriers.protocol import Answer, Beat, Bye, End, Message, Source, Start
from opslib.host.task import Task
from support.probes import Mishap, Note

__all__ = ["Talk", "mishap", "note", "step"]


def step(task: Task, **circumstances: Any) -> dict[str, Any]:
    """Return a step as the runtime reads it, its id apart."""
    return {"task": task.name, "args": task.args(), **circumstances}


def note(path: Any, text: str = "hello", **circumstances: Any) -> dict[str, Any]:
    """Return a step that writes a file."""
    return step(Note(path=str(path), text=text), **circumstances)


def mishap(how: str, *, seconds: float = 1000, secret: str | None = None, **circumstances: Any) -> dict[str, Any]:
    """Return a step that goes wrong."""
    return step(Mishap(how=how, seconds=seconds, secret=secret), **circumstances)


class Talk:
    """A payload that runs, and what it has said so far."""

    def __init__(self, python: str, steps: list[dict[str, Any]], **job: Any) -> None:
        rows = [{"id": number, **row} for number, row in enumerate(steps)]
        self.job = payload.Job(steps=rows, tasks=(Note, Mishap), token=payload.Job.new_token(), **job)
        self.answer = Answer(self.job.token, len(rows))
        self.messages: list[Message] = []
        self.channel = LocalConnection().start(payload.command(python), Deadline())
        self.channel.send(payload.encode(self.job), Deadline.after(30))

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_error: object) -> None:
        self.channel.close()

    def listen(self) -> bool:
        """Take what comes next; False once the output is closed."""
        piece = self.channel.receive(30)
        assert piece is not None, "the payload is silent"
        for message in self.answer.feed(piece):
            if isinstance(message, Source):
                self.channel.send(payload.source(self.job), Deadline.after(30))
            elif not isinstance(message, Beat):
                self.messages.append(message)
        return bool(piece)

    def until(self, kind: type, count: int = 1) -> None:
        """Listen until so many messages of a kind have come."""
        while sum(isinstance(message, kind) for message in self.messages) < count:
            assert self.listen(), (self.messages, self.channel.errors())

    def end(self) -> Talk:
        """Listen until the output is closed, and close the rest."""
        while self.listen():
            pass
        self.channel.errors()
        self.channel.close()
        return self

    @property
    def results(self) -> dict[int, Any]:
        """The results so far, by the step's number."""
        return {message.number: message.result for message in self.messages if isinstance(message, End)}

    @property
    def story(self) -> list[str]:
        """What happened, in order, in short words."""
        words = []
        for message in self.messages:
            if isinstance(message, Start):
                words.append(f"start {message.number}")
            elif isinstance(message, End):
                words.append(f"{message.result['status']} {message.number}")
            elif isinstance(message, Bye):
                words.append("bye" if message.error is None else f"bye: {message.error}")
        return words


def wrapper(folder: Any, python: str, script: str) -> str:
    """Return a program that does something before it becomes Python."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\n{script}\nexec {python} "$@"\n')
    os.chmod(path, 0o755)
    return str(path)
