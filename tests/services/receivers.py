"""Where notifications arrive: webhooks of Slack, PagerDuty and anybody, and a mail server that keeps what it is sent.

The web part takes the requests that apprise makes, whose forms are those that the services document; it cannot show
what a real channel would make of a text. The mail server is a real one, aiosmtpd.
"""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message
from typing import Any, Self

from services.postgres import free_port
from services.web import Answer, Web, WebCall, route

__all__ = ["Mail", "Receiver"]


class Receiver(Web):
    """Takes whatever is posted to it."""

    @property
    def address(self) -> str:
        """Host and port, as notification URLs want them."""
        return self.url.removeprefix("http://")

    @route("POST", "/hook/{name}")
    def hook(self, call: WebCall) -> Answer:
        """Take a webhook."""
        return Answer({"ok": True})

    @route("POST", "/services/{team}/{channel}/{token}")
    def slack(self, call: WebCall) -> Answer:
        """Take an incoming webhook of Slack."""
        return Answer("ok")

    def texts(self) -> list[str]:
        """Return what was said, as one text a request."""
        return [str(call.body) for call in self.requests]


class Mail:
    """An SMTP server on loopback; `messages`: what came."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.port = 0
        self._controller: Any = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep a message."""
        self.messages.append(message_from_bytes(envelope.content))
        return "250 kept"

    def start(self) -> Self:
        """Listen on a free port."""
        from aiosmtpd.controller import Controller

        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=10)
        self._controller.start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
