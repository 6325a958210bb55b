"""One step after the other: check mode, convergence, failures, and what is reported. Payloads: see carriers/."""

from __future__ import annotations

import json

import pytest

from opslib.host import worker
from opslib.host.params import Text
from opslib.host.plan import ACTION, MODIFY, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.worker import run_step
from support.probes import Mishap, Note

KEYS = {"status", "changed", "reason", "changes", "warnings", "data", "error"}


def mishap(how, check=False, **args):
    """Run a step that goes wrong in this way."""
    return run_step(Mishap, dict(args, how=how), check)


def test_check_then_run_then_run_again(tmp_path):
    """Check mode says what would change and touches nothing; a run does it; the next finds nothing to do."""
    path = tmp_path / "note"
    args = {"path": str(path), "text": "new"}
    checked = run_step(Note, args, True)
    assert (checked["status"], checked["changed"], path.exists()) == ("changed", True, False)
    done = run_step(Note, args, False)
    assert (done["status"], done["changed"], path.read_text()) == ("changed", True, "new")
    assert (
        done["changes"]
        == checked["changes"]
        == [{"kind": "modify", "summary": "write %s" % path, "before": None, "after": "new", "certain": True}]
    )
    for check in (True, False):
        again = run_step(Note, args, check)
        assert (again["status"], again["changed"], again["changes"]) == ("ok", False, [])
        assert again["reason"] == "%s is as it should be" % path
    assert set(checked) == set(done) == set(again) == KEYS


def test_sensitive_sides_are_hidden(tmp_path):
    """Only that there is something on a side is told, not what."""
    path = tmp_path / "note"
    args = {"path": str(path), "text": "hunter2", "sensitive": True}
    assert (run_step(Note, args, False)["changes"][0]["before"], path.read_text()) == (None, "hunter2")
    result = run_step(Note, dict(args, text="hunter3"), True)
    assert (result["changes"][0]["before"], result["changes"][0]["after"]) == ("(hidden)", "(hidden)")
    assert "hunter" not in json.dumps(result)


def test_a_state_that_does_not_last_fails():
    """A second plan that still holds changes is a failure that names them."""
    result = mishap("diverge")
    assert result["error"] == "did not converge: after the changes it would still do what does not last"
    assert (result["status"], result["changed"], len(result["changes"])) == ("failed", True, 1)
    checked = mishap("diverge", check=True)
    assert (checked["status"], checked["error"]) == ("changed", None)


def test_actions_are_left_out_of_the_second_plan():
    """An act that is no state happens each time and converges."""
    for _run in range(2):
        result = mishap("act")
        assert (result["status"], [change["kind"] for change in result["changes"]]) == ("changed", [ACTION])


def test_a_failure_of_the_task_has_its_words_and_data():
    """TaskError is the task's own verdict; it has no traceback."""
    result = mishap("fail")
    assert (result["status"], result["changed"], result["error"]) == ("failed", False, "it failed as told: no secret")
    assert result["data"] == {"log": ["a line", ""]}


def test_an_unforeseen_exception_is_called_a_defect():
    """Its place is in the data."""
    result = mishap("raise")
    assert result["error"] == "internal error: RuntimeError: unforeseen: no secret"
    assert any("probes.py" in line for line in result["data"]["traceback"])


def test_what_the_system_says_is_said_in_its_words():
    """An OSError names file and cause."""
    assert mishap("denied")["error"] == "No such file or directory: /proc/self/nothing/here (errno 2)"
    assert worker.explain(OSError(5, "Input/output error")) == "Input/output error"
    assert worker.explain(OSError("odd")) == "internal error: OSError: odd"


def test_want_of_memory_is_said():
    """A MemoryError is the host's trouble, not a defect."""
    assert mishap("starve")["error"] == "the host has no memory left for this step"


def test_a_parameter_that_only_the_host_refuses_is_no_defect():
    """The Python there may be older and read a regular expression otherwise."""
    result = run_step(Mishap, {"how": "explode"}, False)
    assert result["error"].startswith("mishap: how: 'explode' is none of fine, ")
    assert result["data"] == {}


@pytest.mark.parametrize("check", [True, False])
def test_a_verdict_fails_the_step_and_nothing_is_applied(check, tmp_path):
    """A plan with a failure is a failed check, whatever changes it holds."""
    result = mishap("refuse", check, path=str(tmp_path / "traces"))
    assert (result["status"], result["changed"], result["changes"]) == ("failed", False, [])
    assert (result["error"], result["data"]) == ("it is too full", {"used": 99})
    assert not (tmp_path / "traces").exists()


def test_a_failure_half_way_tells_what_was_done(tmp_path):
    """Changes before the failure are reported, the one that failed is not; the step has changed something."""
    result = mishap("half", path=str(tmp_path / "traces"))
    assert (result["status"], result["changed"], result["error"]) == ("failed", True, "the second change failed")
    assert [change["summary"] for change in result["changes"]] == ["first"]
    assert (tmp_path / "traces").read_text() == "first\nsecond\n"


def test_a_first_change_that_fails_may_have_changed_something():
    """Nobody knows how far it came."""

    class Breaks(Task, name="breaks"):
        def probe(self):
            return None

        def plan(self, state):
            return Plan(changes=[Change(kind=MODIFY, summary="x")])

        def apply(self, change):
            raise TaskError("")

    result = run_step(Breaks, {}, False)
    assert (result["status"], result["changed"], result["changes"]) == ("failed", True, [])
    assert result["error"] == "it failed and did not say why"


def test_a_change_has_to_prove_itself():
    """verify() has the last word on a step."""
    result = mishap("unproven")
    assert (result["status"], result["changed"], result["error"]) == ("failed", True, "it does not prove itself")
    assert (len(result["changes"]), result["data"]) == (2, {"log": ["last words"]})
    assert mishap("unproven", check=True)["status"] == "changed"


def test_a_verdict_after_the_changes_fails_the_step():
    """The second plan may find that what was done is not enough."""

    class Full(Task, name="full"):
        state = []

        def probe(self):
            return list(self.state)

        def plan(self, state):
            return Plan(failure="still full") if state else Plan(changes=[Change(kind=MODIFY, summary="x")])

        def apply(self, change):
            self.state.append(1)

    result = run_step(Full, {}, False)
    assert (result["status"], result["changed"], result["error"]) == ("failed", True, "still full")


def test_sys_exit_of_a_task_is_not_swallowed():
    """The worker's end is the supervisor's to explain."""
    with pytest.raises(SystemExit):
        mishap("exit")


@pytest.mark.parametrize("how", ["fail", "raise", "tell"])
@pytest.mark.parametrize("secret", ["hunter2!", "pass'word\\", "status", "first line is long\nsecond line is long"])
def test_secrets_are_masked_in_everything(how, secret):
    """In errors, data, tracebacks, reasons and warnings; the result keeps its shape."""
    result = mishap(how, secret=secret)
    assert set(result) == KEYS
    assert result["status"] in ("failed", "ok")
    text = json.dumps([result[key] for key in ("error", "reason", "warnings", "data", "changes")])
    for piece in [secret, json.dumps(secret)[1:-1], *secret.splitlines()]:
        assert piece not in text
    assert "***" in text


def test_a_result_that_cannot_be_sent_is_replaced():
    """Status and error stay, a warning says what is missing."""
    for how, problem in (("alien", "object cannot be represented"), ("deep", "recursion"), ("flood", "at most")):
        sent = json.loads(worker._encode(mishap(how)))
        assert (sent["status"], sent["data"], sent["error"]) == ("ok", {}, None)
        assert problem in sent["warnings"][0]


def test_words_that_cannot_be_sent_are_replaced_too():
    """Also a reason or an error of a wrong type, or of endless length."""
    result = dict(mishap("fine"), reason=b"bytes", error="x" * (20 << 20), status="failed", changed=False)
    data = worker._encode(result)
    assert len(data) < worker.MAX_LINE
    assert json.loads(data)["reason"] == "b'bytes'"


def test_a_secret_and_an_endless_result_do_not_end_the_worker():
    """Masking goes through the result as well."""
    sent = json.loads(worker._encode(mishap("deep", secret="hunter2!")))
    assert (sent["status"], sent["warnings"]) == ("ok", ["the result is nested too deep to be sent"])


def test_texts_of_any_kind_are_sent():
    """Escapes, NUL, bytes that were no UTF-8: all become ASCII JSON on one line."""
    data = worker._encode(mishap("garbage"))
    assert data.isascii()
    assert b"\n" not in data
    assert json.loads(data)["reason"] == "\x1b[31mred\udcff\x00[bold]"


def test_tasks_of_one_step_do_not_share_anything():
    """Each step makes its task anew from its arguments."""

    class Counts(Task, name="counts"):
        label: str = param(Text(), "x", default="a")

        def probe(self):
            return None

        def plan(self, state):
            return Plan(data={"n": 1})

    first, second = run_step(Counts, {}, False), run_step(Counts, {}, False)
    assert first == second
    assert first["data"] is not second["data"]


CUT = "cut short: its time was up or the run was stopped"


@pytest.mark.parametrize(
    ("apply", "clean_up", "error"),
    [
        ([], [], None),
        (["stop", "fail"], ["stop"], CUT + "; mended"),
        ([], ["stop", "stop"], CUT + "; mended"),
        (["fail"], [], "apply failed; mended"),
        (["fail"], ["stop"], "apply failed; mended"),
        (["stop"], ["fail"], CUT + "; and clean_up failed"),
        (["fail"], ["stop", "fail"], "apply failed; and clean_up failed"),
        ([], ["stop", "fail"], "clean_up failed"),
    ],
)
def test_a_task_cleans_up_once_undisturbed_and_its_report_says_what_came_of_it(apply, clean_up, error):
    """Whatever became of the changes before, and wherever the run is stopped."""
    stop, mended = worker.Stop(), []

    def happen(where, events):
        for event in events:
            if event == "fail":
                raise TaskError("%s failed" % where)
            stop(15, None)

    class Mends(Task, name="mends"):
        def probe(self):
            return None

        def plan(self, state):
            return Plan(changes=[Change(kind=ACTION, summary="begin")])

        def apply(self, change):
            happen("apply", apply)

        def clean_up(self):
            mended.append(1)
            happen("clean_up", clean_up)
            return "mended"

    result = run_step(Mends, {}, False, None, stop)
    assert (result["error"], result["changed"], mended) == (error, True, [1])
    assert stop.came is ("stop" in apply + clean_up)
    assert run_step(Mends, {}, True)["error"] is None
    assert mended == [1]


def test_a_stop_between_steps_waits_for_the_next_one():
    """Where nothing of a task is under way it is only noted, and no change is begun after it."""
    stop = worker.Stop()
    stop(15, None)
    assert run_step(Mishap, {"how": "half"}, False, None, stop)["error"] == CUT


class Teller(Task, name="teller"):
    """Say things on the way."""

    secret: str = param(Text(secret=True), "a secret")

    def probe(self):
        self.tell({"now": ["it is", self.secret]})
        self.tell({"then": 1})

    def plan(self, state):
        return Plan(reason="said")


def test_a_task_can_say_things_on_the_way():
    """They come at once, in order and masked; without a listener they go nowhere."""
    told = []
    result = run_step(Teller, {"secret": "hunter2"}, False, told.append)
    assert told == [{"now": ["it is", "***"]}, {"then": 1}]
    assert result["reason"] == "said"
    assert run_step(Teller, {"secret": "hunter2"}, False)["status"] == "ok"


def test_what_is_too_long_to_be_said_fails_the_step(monkeypatch):
    """A message is one line."""
    monkeypatch.setattr(worker, "MAX_LINE", 10)

    class Worker:
        def tell(self, line):
            raise AssertionError("sent")

    result = run_step(Teller, {"secret": "hunter2"}, False, worker._Teller(Worker(), 0))
    assert "a message has 23 bytes; at most 10 are sent" in result["error"]
