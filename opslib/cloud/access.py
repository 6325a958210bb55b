"""Where a web API is and what opens it: from a parameter, or else from the environment."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from opslib.cloud.errors import ExpiredError
from opslib.host.params import ParamError, Text, Url

__all__ = ["TokenText", "address", "token", "tokens"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class TokenText(Text):
    """An access token or key: printable ASCII without blanks, so that it fits into a header."""

    def __init__(self) -> None:
        super().__init__("access token", secret=True)

    def check(self, value: str) -> str:
        if not value.isascii() or not value.isprintable() or " " in value:
            raise ParamError("the value is no access token: it holds blanks, or characters that are not ASCII")
        return value


def tokens(given: str | None, *variables: str) -> list[str]:
    """Return the tokens that `token` could take, without a fault; to be masked."""
    return [value for value in (given, *(os.environ.get(name) for name in variables)) if value]


def token(given: str | None, *variables: str, of: str) -> str:
    """Return the token that was given, or else that of the first variable that is set.

    of: the service, for the error. Raises ExpiredError when there is none, ParamError when it cannot be one.
    """
    if given is not None:
        return given
    for name in variables:
        value = os.environ.get(name, "").strip()
        if value:
            try:
                return TokenText()(value)
            except ParamError as error:
                raise ParamError(f"{name}: {error}") from None
    raise ExpiredError(f"no credentials for {of}: set {' or '.join(variables)}, or give a token from a vault")


def address(given: str | None, variable: str, default: str) -> str:
    """Return the URL of an API: the one given, or else that of a variable of the environment, or else the default.

    Raises ParamError for a URL that would send credentials in clear: http is for this machine only.
    """
    url = given or os.environ.get(variable) or default
    where = "the URL" if given else variable
    try:
        Url()(url)
    except ParamError as error:
        raise ParamError(f"{where}: {error}") from None
    parts = urlsplit(url)
    if parts.scheme.lower() == "http" and parts.hostname not in _LOOPBACK:
        raise ParamError(f"{where}: {url} has no TLS, and credentials would be sent in clear; use https")
    return url.rstrip("/")
