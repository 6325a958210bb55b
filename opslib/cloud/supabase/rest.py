"""A project's REST interface, asked with the service key: whether it answers, how fast, and what is wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import quote

from opslib.cloud.errors import ExpiredError, MalformedError, RefusedError, ServiceError
from opslib.cloud.http import Http
from opslib.cloud.patience import Patience
from opslib.cloud.supabase import service_key

__all__ = ["Rest", "ask"]

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Rest:
    """How it answered; trouble: in words, empty when all is well."""

    seconds: float | None
    trouble: str = ""
    code: str = ""


def ask(url: str, key: str, table: str | None, patience: Patience, pause: float) -> Rest:
    """Read one row of a table, or only the interface's description, and judge the answer.

    What may pass is tried three times. Never raises for what the service does.
    """
    http = Http("Supabase REST", url, patience, extra="http", headers=service_key.headers(key), attempt=10.0)
    path = f"/rest/v1/{quote(table, safe='')}" if table else "/rest/v1/"
    trouble: ServiceError = RefusedError("it was not asked")
    for number in range(_TRIES):
        if number:
            time.sleep(patience.cap(pause))
        try:
            answer = http.once("GET" if table else "HEAD", path, params={"select": "*", "limit": "1"} if table else {})
            if table and not isinstance(answer.json(), list):
                raise MalformedError(f"Supabase REST: {path} answered with something other than rows")
        except ExpiredError as error:
            return Rest(None, f"the service key is not accepted: {error}", error.code)
        except (RefusedError, MalformedError) as error:
            return Rest(None, str(error), error.code)
        except ServiceError as error:
            trouble = error
        else:
            return Rest(answer.seconds)
    return Rest(None, f"{trouble} ({_TRIES} times)", trouble.code)
