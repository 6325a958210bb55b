"""Results of Ansible's modules as step results. They come from hosts, so they are anything at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.engines import foreign
from opslib.engines.foreign import step_result
from opslib.result import Status, StepResult

# As ansible-core 2.19 gives them.
COMMAND_FAILED = {
    "changed": True,
    "stdout": "",
    "stderr": "ls: cannot access '/x': No such file or directory",
    "rc": 2,
    "cmd": ["ls", "/x"],
    "delta": "0:00:00.006408",
    "msg": "non-zero return code",
    "invocation": {"module_args": {"_raw_params": "ls /x", "expand_argument_vars": True}},
    "exception": "(traceback unavailable)",
    "stdout_lines": [],
    "stderr_lines": ["ls: cannot access '/x': No such file or directory"],
    "_ansible_no_log": False,
}
COPIED = {
    "changed": True,
    "diff": [{"before": "", "before_header": "/etc/motd", "after": "hello\n", "after_header": "/root/source"}],
    "dest": "/etc/motd",
    "mode": "0644",
    "warnings": ["a \x1b[31mred\x1b[0m one"],
    "ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3.11"},
}


def result(answer: Any, status: Status = Status.OK, action: str = "ansible.builtin.x", **more: Any) -> StepResult:
    """Return a step's result."""
    return step_result("a step", action, status, answer, **more)


def test_failed_command() -> None:
    step = result(COMMAND_FAILED, Status.FAILED)
    assert step.error == "non-zero return code; exit code 2; ls: cannot access '/x': No such file or directory"
    assert step.changed
    assert set(step.data) == {"stdout", "stderr", "rc", "cmd", "delta"}


def test_changed_file() -> None:
    step = result(COPIED)
    assert (step.status, step.changed) == (Status.CHANGED, True)
    assert [(change.kind, change.summary, change.before, change.after) for change in step.changes] == [
        ("modify", "/root/source", "", "hello\n")
    ]
    assert step.warnings == ("a red one",)
    assert set(step.data) == {"dest", "mode"}


def test_prefixes_of_ansible_are_left_out() -> None:
    words = "Task failed: Failed to connect to the host via ssh: Permission denied"
    assert foreign.error_words(words) == "Failed to connect to the host via ssh: Permission denied"
    assert result({"msg": "Task failed: Module failed: no"}, Status.FAILED).error == "no"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            {"false_condition": "x is defined", "skip_reason": "Conditional result was False"},
            "the condition is false: x is defined",
        ),
        ({"skip_reason": "No items in the list"}, "No items in the list"),
        (None, "skipped"),
    ],
)
def test_skipped(answer: Any, reason: str) -> None:
    step = result(answer, Status.SKIPPED)
    assert (step.status, step.reason, step.changed) == (Status.SKIPPED, reason, False)


@pytest.mark.parametrize(
    ("status", "changed", "expected"),
    [
        (Status.OK, False, "ok"),
        (Status.OK, True, "changed"),
        (Status.FAILED, False, "failed"),
        (Status.SKIPPED, True, "skipped"),
    ],
)
def test_hidden(status: Status, changed: bool, expected: str) -> None:
    step = result({"censored": "..."}, status, changed=changed)
    assert step.status.value == expected
    assert foreign.HIDDEN in (step.reason, step.error)


@pytest.mark.parametrize(("status", "changed"), [(Status.OK, True), (Status.FAILED, False)])
def test_result_too_large_for_an_event(status: Status, changed: bool) -> None:
    step = result({}, status, "opslib.runbook.log_size", changed=changed)
    assert step.warnings == (foreign.TOO_LARGE,)
    assert (step.changed, step.status) == (changed, Status.CHANGED if changed else Status.FAILED)


def test_own_result_is_taken_whole() -> None:
    own = {
        "status": "changed",
        "changed": True,
        "reason": "",
        "changes": [{"kind": "create", "summary": "make it", "before": None, "after": "x", "certain": False}],
        "warnings": ["careful"],
        "data": {"a": [1]},
        "error": None,
        "seconds": 0.25,
    }
    step = result({"changed": True, "opslib": own}, action="opslib.runbook.service", seconds=9.0)
    assert step.task == "service"
    assert step.seconds == 0.25
    assert not step.changes[0].certain
    assert step.data == {"a": [1]}


def test_others_cannot_pose_as_ours() -> None:
    step = result({"opslib": {"status": "ok", "reason": "all is well"}, "msg": "no"}, Status.FAILED)
    assert (step.status, step.error, step.reason) == (Status.FAILED, "no", "")
    assert "opslib" not in step.data


@pytest.mark.parametrize(
    "own", [{"status": "splendid"}, {}, {"status": "ok", "changes": 3}, {"status": "ok", "data": 3}]
)
def test_nonsense_from_our_own_fails(own: Any) -> None:
    step = result({"opslib": own}, action="opslib.runbook.service")
    assert step.status is Status.FAILED
    assert "makes no sense" in str(step.error)


def test_secrets_are_masked_everywhere() -> None:
    answer = {
        "msg": "canary",
        "diff": {"before": "", "after": "canary"},
        "canary": ["canary"],
        "changed": True,
        "warnings": ["canary"],
    }
    step = step_result("a canary", "x", Status.OK, answer, secrets=["canary"])
    assert "canary" not in repr(step)


def test_a_secret_that_is_a_word_of_ours_spoils_no_result() -> None:
    """A password `changed` is a poor one, and hides no more than texts."""
    poor = ["changed", "modify", "ansible.builtin.x", "status", "opslib.runbook.service"]
    answer = {**COPIED, "msg": "it is changed"}
    step = result(answer, secrets=poor)
    own = result({"opslib": {"status": "changed", "changed": True}}, action="opslib.runbook.service", secrets=poor)
    assert (step.status, step.task, step.reason) == (Status.CHANGED, "ansible.builtin.x", "it is ***")
    assert [change.kind for change in step.changes] == ["modify"]
    assert (own.status, own.task) == (Status.CHANGED, "service")


def test_data_is_bounded() -> None:
    huge: dict[str, Any] = {f"k{number}": "x" * 100_000 for number in range(2000)}
    huge["deep"] = deep = {}
    for _ in range(500):
        deep["d"] = deep = {}
    step = result({**huge, "list": list(range(10**5)), "msg": "y" * 10**6, "stderr": "z" * 10**6}, Status.FAILED)
    assert len(json.dumps(step.to_dict())) < 120_000
    assert json.dumps(result({"deep": huge["deep"]}).to_dict()["data"]).count("{") < 20


def test_no_terminal_control_in_what_people_read() -> None:
    step = step_result("na\x1b[2Jme\x07", "x", Status.OK, {"msg": "a\x1b]0;title\x07b\x9bc\r\nd"})
    assert (step.name, step.reason) == ("name", "abc\nd")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    "changed",
    "msg",
    "diff",
    "warnings",
    "rc",
    "stderr",
    "opslib",
    "censored",
    "item",
    "results",
    "skip_reason",
    "false_condition",
]


@settings(max_examples=150)
@given(
    answer=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6),
    status=st.sampled_from([Status.OK, Status.FAILED, Status.SKIPPED]),
    action=st.sampled_from(["opslib.runbook.service", "ansible.builtin.command", ""]),
)
def test_any_answer_gives_a_result(answer: dict[str, Any], status: Status, action: str) -> None:
    step = step_result("a step", action, status, answer)
    assert StepResult.from_dict(json.loads(json.dumps(step.to_dict()))) == step
    if status is Status.FAILED and action != "opslib.runbook.service":
        assert step.status is Status.FAILED
        assert step.error
