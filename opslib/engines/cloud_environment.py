"""What of the caller's environment leads cloud tasks to their services, credentials among it.

Under ansible-playbook it is offered to the processes of cloud tasks over a socket: neither ansible-playbook itself, nor
what else it starts, nor any file has it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from opslib.engines.private_socket import served

__all__ = ["PREFIXES", "found", "offered", "socket_of"]

PREFIXES = (
    "AWS_",
    "CLOUDSDK_",
    "DOCKER_",
    "FIREBASE_",
    "FIRESTORE_",
    "GOOGLE_",
    "OPSLIB_",
    "REQUESTS_CA_BUNDLE",
    "SENTRY_",
    "SSL_CERT_",
    "STORAGE_EMULATOR_HOST",
    "SUPABASE_",
    "VERCEL_",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
)


def found(own: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return those variables. own: the caller's environment, by default `os.environ`."""
    own = os.environ if own is None else own
    return {name: value for name, value in own.items() if name.upper().startswith(PREFIXES)}


def socket_of(folder: Path) -> Path:
    """Return where a run's socket is, by its private folder."""
    return folder / "environment"


@contextlib.contextmanager
def offered(folder: Path) -> Iterator[None]:
    """Answer each connection to the socket with the variables, as JSON; only who may enter the folder can connect."""
    data = json.dumps(found()).encode()
    with served(socket_of(folder), lambda asking: asking.sendall(data)):
        yield
