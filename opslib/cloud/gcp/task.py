"""The base of tasks on Google Cloud: a project, named in every request, and clients for it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from opslib.cloud.errors import (
    ExpiredError,
    MalformedError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnknownOutcomeError,
)
from opslib.cloud.http import unsigned
from opslib.cloud.libraries import load
from opslib.cloud.task import CloudTask, param
from opslib.host.params import Name

__all__ = ["GcpTask", "project_id", "translated"]

T = TypeVar("T")
ANONYMOUS = "OPSLIB_GCP_ANONYMOUS"


def project_id() -> Name:
    """Return the kind of parameter that takes a project's id."""
    return Name("Google Cloud project id", signs="-:.", longest=63)


class GcpTask(CloudTask):
    """A task on Google Cloud.

    Credentials come from Google's own chain (Application Default Credentials). No project is ever taken from them or
    from the environment: only the one that is named is worked in.
    """

    project: str = param(
        project_id(), "The project to work in; none is taken from the environment.", example="spendsense-test"
    )

    def scope(self) -> dict[str, str]:
        return {"project": self.project}

    def identify(self) -> None:
        self.credentials  # noqa: B018 - missing credentials are found before anything is asked

    @functools.cached_property
    def credentials(self) -> Any:
        """The credentials; anonymous ones for emulators, if the environment variable OPSLIB_GCP_ANONYMOUS is `1`."""
        if os.environ.get(ANONYMOUS) == "1":
            return load("google.auth.credentials", "gcp").AnonymousCredentials()
        auth = load("google.auth", "gcp")
        with translated("the Google credentials"):
            return auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])[0]

    def session(self) -> Any:
        """Return a session of requests with the credentials, and nothing else to sign with."""
        requests, transport = load("requests", "gcp"), load("google.auth.transport.requests", "gcp")
        refresh = unsigned(requests.Session())
        refresh.mount("https://", requests.adapters.HTTPAdapter(max_retries=3))  # as Google's own session does
        return unsigned(transport.AuthorizedSession(self.credentials, auth_request=transport.Request(refresh)))

    def ask(self, call: Callable[[], T], *, doing: str) -> T:
        """Return the answer to a call that changes nothing, repeated while the service is throttling or broken."""
        return self.patience.read(lambda: _once(call, doing), doing=doing)

    def change(self, call: Callable[[], T], *, doing: str) -> T:
        """Return the answer to a call that changes something, repeated only while it is turned away by throttling.

        Raises UnknownOutcomeError when the answer was lost: then look what came of it, never send it again.
        """
        return self.patience.write(lambda: _once(call, doing), doing=doing)


def _once(call: Callable[[], T], doing: str) -> T:
    with translated(doing):
        return call()


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the errors of Google's libraries into ours, which say what is known of the outcome."""
    api = load("google.api_core.exceptions", "gcp")
    auth = load("google.auth.exceptions", "gcp")
    requests = load("requests.exceptions", "gcp")
    try:
        yield
    except (auth.DefaultCredentialsError, auth.RefreshError, auth.InvalidOperation) as error:
        raise ExpiredError(
            f"{doing}: no Google credentials that can be used ({_words(error)}); "
            "run `gcloud auth application-default login`"
        ) from error
    except (api.TooManyRequests, api.ResourceExhausted) as error:
        raise ThrottledError(f"{doing}: {_words(error)}", status=429) from error
    except api.Unauthenticated as error:
        raise ExpiredError(f"{doing}: {_words(error)}; renew the Google credentials", status=401) from error
    except api.GoogleAPICallError as error:
        raise _of_service(error, doing) from error
    except (api.RetryError, auth.TransportError, requests.RequestException, ConnectionError, TimeoutError) as error:
        raise UnknownOutcomeError(f"{doing}: {_words(error)}") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise MalformedError(f"{doing}: the answer makes no sense: {_words(error)}") from error


def _of_service(error: Any, doing: str) -> ServiceError:
    status = int(error.code or 0)
    kind: type[ServiceError] = UnknownOutcomeError if status >= 500 else RefusedError
    return kind(f"{doing}: {_words(error)}", code=type(error).__name__, status=status)


def _words(error: BaseException) -> str:
    line = " ".join(str(error).split())
    return "".join(c if c.isprintable() else "?" for c in line)[:500]
