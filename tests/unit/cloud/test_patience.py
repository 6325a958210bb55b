"""Waiting: looks, tries and pauses, all within one deadline."""

from __future__ import annotations

import time

import pytest

from opslib import tasks
from opslib.carriers.base import Deadline
from opslib.cloud.errors import RefusedError, ThrottledError, TimeIsUpError, UnknownOutcomeError
from opslib.cloud.patience import Patience


class Service:
    """Fails as told, then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_reads_are_repeated_until_they_succeed():
    """Throttling and breakage pass."""
    service = Service(*[ThrottledError("slow down"), UnknownOutcomeError("broken pipe")] * 5)
    assert Patience(10, 0.001).read(service, doing="asking") == "answer"
    assert service.calls == 11


def test_writes_are_repeated_only_when_they_were_turned_away():
    """A lost answer is never answered by sending again."""
    assert Patience(10, 0.001).write(Service(*[ThrottledError("slow down")] * 10), doing="asking") == "answer"
    service = Service(UnknownOutcomeError("lost"))
    with pytest.raises(UnknownOutcomeError, match="lost"):
        Patience(10, 0.001).write(service, doing="asking")
    assert service.calls == 1


def test_a_request_has_no_more_than_the_time_that_is_left_and_never_less_than_a_second():
    patience = Patience(20, 0.001)
    assert 19 < patience.cap(60) <= 20
    patience.deadline = Deadline.after(0)
    assert (patience.cap(60), patience.cap(0.2)) == (1, 0.2)


def test_calls_of_aws_fit_into_the_time_that_is_left():
    """Also those of a client that was made when there was more."""
    task = tasks.get("container_status")(account="123456789012", region="us-east-1", service="x", wait=100)
    client = task.client("sts")
    for left, most in ((100, 60), (45, 45), (3, 3), (0, 1)):
        task.patience.deadline = Deadline.after(left)
        assert max(client.meta.config.connect_timeout, client.meta.config.read_timeout) <= most


def test_a_refusal_is_final():
    """For reads and writes."""
    for how in ("read", "write"):
        service = Service(RefusedError("no"))
        with pytest.raises(RefusedError):
            getattr(Patience(10, 0.001), how)(service, doing="asking")
        assert service.calls == 1


def test_endless_throttling_ends_with_the_service_s_own_words():
    """When time is up."""
    with pytest.raises(ThrottledError, match="slow down"):
        Patience(0.05, 0.001).read(Service(*[ThrottledError("slow down")] * 10000), doing="asking")


def test_the_pause_that_a_service_asks_for_is_kept():
    """Or the wait is given up at once when there is no time for it."""
    began = time.monotonic()
    assert Patience(10, 0.001).read(Service(ThrottledError("slow down", after=0.2)), doing="asking") == "answer"
    assert time.monotonic() - began >= 0.2
    service = Service(ThrottledError("slow down", after=3600))
    with pytest.raises(ThrottledError):
        Patience(10, 0.001).read(service, doing="asking")
    assert service.calls == 1


def test_until_tells_what_changes_and_returns_what_was_waited_for():
    """Each state once."""
    states = iter(["PENDING", "PENDING", "RUNNING", "RUNNING", "DONE", "NEVER SEEN"])
    seen = []
    found = Patience(10, 0.001).until(
        lambda: next(states), lambda state: state == "DONE", doing="waiting", seen=seen.append
    )
    assert (found, seen) == ("DONE", ["PENDING", "RUNNING", "DONE"])


def test_what_never_happens_is_told_with_what_was_waited_for():
    """The deadline holds."""
    with pytest.raises(TimeIsUpError, match=r"waiting for Godot: not done after 0.05 seconds; it may still go on"):
        Patience(0.05, 0.001).until(lambda: 1, lambda _found: False, doing="waiting for Godot")


def test_the_last_look_comes_at_the_deadline_not_before():
    """However long the pauses have become."""
    ends = time.monotonic() + 0.3
    Patience(0.35, 0.2).until(time.monotonic, lambda now: now >= ends, doing="waiting")


def test_pauses_grow_and_differ(monkeypatch):
    """So that many who wait do not ask at once, and nobody asks too often."""
    naps = []
    monkeypatch.setattr(time, "sleep", naps.append)
    pauses = Patience(10000, 1).pauses("waiting")
    for _number in range(40):
        next(pauses)
    assert naps[0] <= 1
    assert 7.5 <= naps[-1] <= 15
    assert len(set(naps)) > 30
