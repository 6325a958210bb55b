"""Ask a service for a forecast, and tell why there is none."""

from __future__ import annotations

from opslib.host import wire
from opslib.host.params import Duration, Mapping, Text, Url
from opslib.host.plan import ACTION, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.web.exchange import Answer, fetch
from opslib.host.words import count, printable

from .http_check import Headers, HttpCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

MOST_BYTES = 8 << 20
LONGEST = 300
_INSUFFICIENT = ("insufficient", "not enough", "too few", "at least", "needed", "minimum")


class UserForecast(Task, name="user_forecast"):
    """Ask for a user's forecast by a POST, and tell the reasons for a failure apart.

    It is an act, done each time: it costs the service a forecast. What may come back: a forecast, whose numbers must be
    numbers; 422 because the user has too few records (`insufficient_data`); 422 because the request itself is wrong
    (`bad_request`, with the fields that are); 500 (`internal`: look at the data, the package and the memory); another
    status (`status`), and all that http_check tells of answers (`timeout`, `refused`, `html`, `json`, `size` and so
    on); an answer later than `max_latency` is `slow`.

    data: `user`; `status`, `seconds`, `problem` (null for a forecast), `detail` (the service's words, or null),
    `points` (numbers in the answer).

    Secrets among the request's headers are masked. Sources: RFC 9110; FastAPI's form of a 422.
    """

    url: str = param(Url(), "URL to post to.", example="http://127.0.0.1:8000/api/forecast/generate")
    user: str = param(Text("user id"), "User whose forecast to ask for.", example="alice")
    user_field: str = param(Text("name of a field"), "Field of the request that names the user.", default="user_id")
    fields: dict[str, Any] = param(Mapping(), "More fields of the request.", default={}, example={"horizon_days": 30})
    request_headers: dict[str, str] = param(
        Headers(secret=True), "Headers to send, such as Authorization; never shown.", default={}
    )
    timeout: float = param(Duration(low=0.01), "Seconds that the answer may take at all.", default=60)
    max_latency: float | None = param(
        Duration(low=0.001), "Seconds that a good answer may take.", default=None, example="10s"
    )

    _outcome: Any = None

    def check(self) -> None:
        if self.user_field in self.fields:
            self.refuse("fields: %s is given by user already" % printable(self.user_field))
        try:
            self._asked()
        except ValueError as error:
            self.refuse(str(error).partition(": ")[2])

    def secrets(self) -> Iterator[str]:
        """Yield the secrets of the request."""
        yield from self._asked().secrets()

    def _asked(self) -> HttpCheck:
        args: dict[str, Any] = {"url": self.url, "request_headers": self.request_headers}
        return HttpCheck(**args, json={}, max_size=MOST_BYTES, max_latency=self.max_latency)

    def probe(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._outcome
        return found

    def plan(self, state: dict[str, Any] | None) -> Plan:
        change = Change(kind=ACTION, summary="ask for a forecast of user %s" % printable(self.user))
        return Plan(changes=[change], data=dict(state or {}, user=printable(self.user)))

    def apply(self, change: Change) -> None:
        given = {name for name in self.request_headers if name.lower() == "content-type"}
        headers = {**self.request_headers, **({} if given else {"Content-Type": "application/json"})}
        body = wire.dumps({self.user_field: self.user, **self.fields}).encode("utf-8", "replace")
        answer = fetch(self.url, method="POST", headers=headers, timeout=self.timeout, max_size=MOST_BYTES, body=body)
        object.__setattr__(self, "_outcome", self._judged(answer))

    def verify(self, plan: Plan) -> None:
        found = self._outcome
        if found["problem"]:
            words = "no forecast for user %s: %s" % (printable(self.user), found["words"])
            raise TaskError(words, **{key: value for key, value in found.items() if key != "words"})
        del found["words"]

    def _judged(self, answer: Answer) -> dict[str, Any]:
        found: dict[str, Any] = {
            "status": answer.status or None,
            "seconds": round(answer.total_seconds, 3),
            "detail": None,
            "points": 0,
        }
        problem, words = self._asked().fault(answer)
        document = _json(answer.body)
        if problem == "json" and isinstance(document, list):
            problem = words = ""
        detail = document.get("detail") if isinstance(document, dict) else None
        if isinstance(detail, str):
            found["detail"] = self._shown(detail)
        if answer.status == 422 and not answer.problem:
            problem, words = self._unprocessable(detail)
        elif answer.status >= 500 and problem == "status":
            problem = "internal"
            words = (
                "the service failed with %d%s; look at its error log, the user's data, the package and the memory"
                % (
                    answer.status,
                    " (%s)" % found["detail"] if found["detail"] else "",
                )
            )
        elif not problem:
            numbers, strange = _numbers(document)
            found["points"] = numbers
            if strange:
                problem, words = (
                    "values",
                    "%s in the answer %s no number"
                    % (
                        count(strange, "value"),
                        "is" if strange == 1 else "are",
                    ),
                )
            elif not numbers:
                problem, words = "values", "the answer holds no numbers"
        return dict(found, problem=problem or None, words=words)

    def _unprocessable(self, detail: Any) -> tuple[str, str]:
        if isinstance(detail, list):
            fields = [
                "%s: %s" % (".".join(map(str, row.get("loc") or ["?"])), row.get("msg"))
                for row in detail[:5]
                if isinstance(row, dict)
            ]
            return "bad_request", "422, the request is not as the service wants it: %s" % self._shown("; ".join(fields))
        words = self._shown(detail) if isinstance(detail, str) else "it gave no reason"
        if any(word in words.lower() for word in _INSUFFICIENT):
            return "insufficient_data", "422, %s" % words
        return "unprocessable", "422, %s" % words

    def _shown(self, text: str) -> str:
        words = str(wire.mask(" ".join(text[: 4 * LONGEST].split()), self.secrets()))
        return printable(words)[:LONGEST]


def _json(body: bytes) -> Any:
    import json

    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _numbers(value: Any, depth: int = 0) -> tuple[int, int]:
    """Return how many numbers a JSON value holds at any depth, and how many of its values are NaN or infinite."""
    if isinstance(value, float) and not -1e300 < value < 1e300:
        return 0, 1
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return 1, 0
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    numbers = strange = 0
    for item in inner if depth < 20 else []:
        more, bad = _numbers(item, depth + 1)
        numbers, strange = numbers + more, strange + bad
    return numbers, strange
