"""How a cloud service can fail a step. All are TaskErrors: the step fails with the message.

ServiceError
├── RefusedError      it understood and said no; nothing was changed
├── ThrottledError    it said "not now"; nothing was changed
├── UnknownOutcomeError   the answer was lost: whether anything was changed must be found out by looking
├── MalformedError    its answer is not of the kind it promises
├── ExpiredError      the credentials are no longer good, or never were
└── TimeIsUpError     it did not come to an end in the time given
MissingLibraryError   a library is not installed; nothing was touched
MismatchError         the credentials lead elsewhere than the parameters say; nothing was touched
"""

from __future__ import annotations

from typing import Any

from opslib.host.task import TaskError

__all__ = [
    "ExpiredError",
    "MalformedError",
    "MismatchError",
    "MissingLibraryError",
    "RefusedError",
    "ServiceError",
    "ThrottledError",
    "TimeIsUpError",
    "UnknownOutcomeError",
]


class ServiceError(TaskError):
    """A service failed a step.

    code: its own word for what is wrong; status: of HTTP, 0 when there is none; after: seconds that it asks to wait,
    None when it does not say.
    """

    def __init__(
        self, message: str, *, code: str = "", status: int = 0, after: float | None = None, **data: Any
    ) -> None:
        super().__init__(message, **data)
        self.code = code
        self.status = status
        self.after = after


class RefusedError(ServiceError):
    """The service understood the request and refuses it; nothing was changed."""


class ThrottledError(ServiceError):
    """The service wants fewer requests; this one was turned away unread."""


class UnknownOutcomeError(ServiceError):
    """The answer to a request was lost: it may have taken effect or not."""


class MalformedError(ServiceError):
    """An answer is not of the kind that the service's description promises."""


class ExpiredError(ServiceError):
    """The service does not accept the credentials (any more)."""


class TimeIsUpError(ServiceError):
    """Something under way did not end in time; it may still go on."""


class MissingLibraryError(TaskError):
    """A library is needed that is not installed; the message says how to install it."""


class MismatchError(TaskError):
    """The credentials lead to another account or project than the one that was named; nothing was touched."""
