"""Ask a scheduler's health page, and read its JSON whatever its status."""

from __future__ import annotations

from opslib.host.params import Url
from opslib.host.task import TaskError
from opslib.host.web.exchange import fetch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping

ANSWERS = (200, 500, 503)
MOST_BYTES = 4 << 20


def read(url: str, headers: Mapping[str, str], timeout: float) -> tuple[int, Any]:
    """Return status and JSON. Raises TaskError that tells silence, a refusal, HTML and other faults apart."""
    from opslib.host.tasks.http_check import HttpCheck

    answer = fetch(Url()(url), headers=headers, timeout=timeout, max_size=MOST_BYTES)
    limits: dict[str, Any] = {"status": list(ANSWERS), "json": {}, "max_size": MOST_BYTES}
    asked = HttpCheck(**{"url": url, "request_headers": dict(headers), **limits})
    problem, words = asked.fault(answer)
    if problem:
        raise TaskError("%s: %s" % (url, words), problem=problem, status=answer.status or None)
    import json

    return answer.status, json.loads(answer.body)
