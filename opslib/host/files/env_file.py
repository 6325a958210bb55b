"""Read the environment file of a unit on the host, for the credentials in it."""

from __future__ import annotations

import os

from opslib.host.task import TaskError

from . import env_text
from .env_params import is_name

_LONGEST = 1 << 20


def read(path: str) -> dict[str, str]:
    """Return the variables of a file as systemd takes them. Raises TaskError, which holds no value."""
    data = b""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            while len(data) <= _LONGEST:
                piece = os.read(file, 1 << 16)
                if not piece:
                    break
                data += piece
        finally:
            os.close(file)
    except OSError as error:
        raise TaskError("environment file %s cannot be read: %s" % (path, error.strerror)) from None
    if len(data) > _LONGEST:
        raise TaskError("environment file %s is longer than 1 MiB" % path)
    found = env_text.values(env_text.parse(data.decode("utf-8", "surrogateescape")))
    return {name: value for name, value in found.items() if is_name(name)}  # systemd ignores others, as `export A=1`
