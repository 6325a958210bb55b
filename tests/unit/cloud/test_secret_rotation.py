"""Rotation: parameters, new values, and a way that can be gone on with from wherever it was left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import tasks
from opslib.cloud.aws.new_secret import ALPHABETS, bits, generate, member_of, with_member
from opslib.cloud.aws.rotation import Standing
from opslib.cloud.aws.rotation_proof import TaskSpecs, make
from opslib.cloud.aws.rotation_saga import Saga
from opslib.errors import ParamError
from opslib.host.task import TaskError

PLACE = {"account": "123456789012", "region": "us-east-1"}
GOOD = {**PLACE, "secret": "jwt", "unproven": True}
CHECK = {
    "task": "http_check",
    "args": {"url": "http://127.0.0.1:9/", "request_headers": {"Authorization": "Bearer {secret}"}},
}


class Memory:
    """A store that fails with its n-th change, before or after it took effect."""

    where = "memory"

    def __init__(self) -> None:
        self.versions = ["older", "old"]
        self.labels = {"current": "old", "previous": "older"}
        self.fails_at: int | None = None
        self.after_effect = False
        self.changes = 0

    def look(self) -> Standing:
        current, pending = self.labels["current"], self.labels.get("pending")
        return Standing(
            current=current, pending=pending, promoted=pending == current, previous=self.labels.get("previous")
        )

    def current(self) -> str:
        return self.labels["current"]

    def pending(self) -> str:
        return self.labels["pending"]

    def _change(self, **labels: str | None) -> None:
        self.changes += 1
        fails = self.changes == self.fails_at
        if not fails or self.after_effect:
            self.labels = {key: value for key, value in {**self.labels, **labels}.items() if value is not None}
        if fails:
            raise TaskError("the store failed")

    def stage(self, value: str) -> None:
        self._change(pending=value)

    def promote(self, before: Standing) -> None:
        assert self.labels["current"] == before.current
        self._change(current=self.labels["pending"], previous=before.current)

    def confirm(self) -> None:
        self._change(pending=None)

    withdraw = confirm

    def back(self, before: Standing) -> None:
        good = before.previous if before.promoted else before.current
        self._change(current=good, previous=None if before.promoted else before.previous)
        self._change(pending=None)

    def retire(self) -> None:
        self._change(previous=None)


class Rotation:
    """As much of the task as the saga knows. proofs: whether each proof and each consumer succeeds, in turn."""

    secret, check_command, check_timeout, value = "jwt", None, 1.0, None
    checks: list[Any] = []
    consumers: list[Any] = []
    own: dict[str, Any] = {}

    def say(self, text: str) -> None:
        assert "new-" not in text

    tell = say

    def secrets(self) -> list[str]:
        return []

    def renew(self) -> None:
        pass

    def part(self, text: str) -> str:
        return text

    def made(self) -> str:
        return "new-value"


@given(st.integers(1, 6), st.booleans(), st.lists(st.booleans(), max_size=3))
def test_wherever_it_fails_the_next_run_goes_on(fails_at: int, after_effect: bool, proofs: list[bool]) -> None:
    store, outcomes = Memory(), list(proofs)
    store.fails_at, store.after_effect = fails_at, after_effect

    def proof(*_args: Any) -> None:
        if outcomes and not outcomes.pop(0):
            raise TaskError("not taken")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("opslib.cloud.aws.rotation_saga.run_tasks", proof)
        for _run in range(8):
            before = store.look()
            if before.current == "new-value" and before.pending is None:
                break
            try:
                Saga(Rotation(), store).carry_out(before)  # type: ignore[arg-type]
            except TaskError:
                assert store.labels["current"] in ("old", "new-value")
    assert store.labels == {"current": "new-value", "previous": "old"}


@pytest.mark.parametrize("outcomes", [[False], [True, False, True]], ids=["check", "consumer"])
def test_a_proof_that_fails_leaves_all_as_it_was(outcomes: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    left = list(outcomes)

    def proof(*_args: Any) -> None:
        if not left.pop(0):
            raise TaskError("not taken")

    store = Memory()
    monkeypatch.setattr("opslib.cloud.aws.rotation_saga.run_tasks", proof)
    with pytest.raises(TaskError, match="not taken"):
        Saga(Rotation(), store).carry_out(store.look())  # type: ignore[arg-type]
    assert store.labels == {"current": "old", "previous": "older"}
    assert left == []


@given(st.integers(1, 200), st.sampled_from(sorted(ALPHABETS)))
def test_new_values(length: int, alphabet: str) -> None:
    value = generate(length, alphabet)
    assert len(value) == length
    assert set(value) <= set(ALPHABETS[alphabet])
    assert not set(value) & set(" \"'\\`$&|<>")
    if bits(length, alphabet) > 64:
        assert generate(length, alphabet) != value


@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1), st.text())
def test_the_other_members_stay(members: dict[str, str], value: str) -> None:
    name = sorted(members)[0]
    changed = with_member(json.dumps(members), name, value, "it")
    assert json.loads(changed) == {**members, name: value}
    assert member_of(changed, name, "it") == value


@pytest.mark.parametrize("text", ["", "x", "[]", "5", "[" * 100000, '{"a": 5}', '{"b": "c"}'])
def test_what_has_no_such_member_is_told_without_its_value(text: str) -> None:
    with pytest.raises(TaskError, match="it (holds no JSON object|has no member 'a')"):
        member_of(text, "a", "it")


def test_a_secret_comes_where_it_belongs() -> None:
    _kind, args = make(CHECK, PLACE, "s3cret")
    assert args["request_headers"] == {"Authorization": "Bearer s3cret"}
    assert "account" not in args
    _kind, args = make({"task": "slo", "args": {"service": "api"}}, PLACE)
    assert (args["account"], args["region"]) == ("123456789012", "us-east-1")
    _kind, args = make({"task": "slo", "args": {"service": "api", "region": "eu-west-1"}}, PLACE)
    assert args["region"] == "eu-west-1"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"unproven": False}, "give check_command, checks or consumers"),
        ({"length": 20}, "is less than 128 bits"),
        ({"length": 31, "alphabet": "hex"}, "is less than 128 bits"),
        ({"secret": "-x"}, "is no name or ARN of a secret"),
        ({"secret": "a b"}, "is no name or ARN of a secret"),
        ({"secret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"}, "is not of account"),
        ({"store": "parameter_store", "secret": "arn:aws:ssm:us-east-1:123456789012:parameter/x"}, "is no name of a parameter"),
        ({"store": "parameter_store", "grace": "7d"}, "cannot be cut"),
        ({"not_before": "yesterday"}, "is no moment"),
        ({"not_before": "2026-01-01T00:00:00"}, "is no moment with its zone"),
        ({"max_age": 5}, "shorter than 60"),
        ({"check_command": "a b"}, "is one text"),
        ({"check_command": ["psql", "postgres://u:{secret}@db"]}, "comes on standard input"),
        ({"checks": [{"task": "nosuch"}]}, "no task is called"),
        ({"checks": [{"args": {}}]}, "give task, a name, and args"),
        ({"checks": [{"task": "http_check", "args": {}}]}, "url is required"),
        ({"checks": [{"task": "http_check", "args": {"url": "http://x/?{secret}"}}]}, None),
        ({"consumers": [{"task": "secret_rotation", "args": GOOD}]}, "cannot be part of a rotation"),
        ({"consumers": [{"task": "slo", "args": {"service": "a/b"}}]}, "consumers: slo: service"),
    ],
)  # fmt: skip
def test_wrong_parameters(args: dict[str, Any], words: str | None) -> None:
    if words is None:
        assert tasks.secret_rotation(**{**GOOD, **args})
        return
    with pytest.raises(ParamError, match=words):
        tasks.secret_rotation(**{**GOOD, **args})


def test_a_value_never_stands_in_an_error_or_a_repr() -> None:
    secret = "a-secret-of-mine\0"
    with pytest.raises(ParamError) as caught:
        tasks.secret_rotation(**GOOD, value=secret)
    assert "mine" not in str(caught.value)
    task = tasks.secret_rotation(**GOOD, value="a-secret-of-mine")
    assert "mine" not in repr(task)
    assert "a-secret-of-mine" in set(task.secrets())


def test_parameters_stay_as_they_are() -> None:
    task = tasks.secret_rotation(**GOOD, checks=[CHECK], not_before="2026-11-27T10:00:00+01:00")
    assert task.not_before == "2026-11-27T09:00:00+00:00"
    assert tasks.secret_rotation(**task.args()).args() == task.args()
    assert TaskSpecs()(task.checks) == task.checks
