"""Following a run by its events, without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opslib.engines.hidden import Hidden
from opslib.engines.playlog import NOT_STARTED, PlayLog
from opslib.engines.work import Play
from opslib.events import HostEnded, StepEnded
from opslib.result import HostResult, Status


class Story:
    """Tells a log what happens, in short words."""

    def __init__(self, *plays: tuple[tuple[str, ...], ...], **options: Any) -> None:
        self.log = PlayLog([made(batches) for batches in plays], **options)
        self.events: list[Any] = []

    def tell(self, kind: str, stdout: str = "", **data: Any) -> None:
        """Tell an event."""
        self.events += self.log.feed({"event": kind, "event_data": data, "stdout": stdout})

    def play(self, uuid: str = "play", name: str = "p") -> None:
        """A play, or a batch of it, begins."""
        self.tell("playbook_on_play_start", uuid=uuid, name=name)

    def ok(self, host: str, task: str, **answer: Any) -> None:
        """A task ends well."""
        self.end("runner_on_ok", host, task, res=answer)

    def failed(self, host: str, task: str, ignore: bool = False, **answer: Any) -> None:
        """A task fails."""
        self.end("runner_on_failed", host, task, res={"msg": "no", **answer}, ignore_errors=ignore or None)

    def end(self, kind: str, host: str, task: str, **data: Any) -> None:
        """A task ends."""
        self.tell(kind, host=host, task=task, task_uuid=task, resolved_action="ansible.builtin.x", duration=0.5, **data)

    def stats(self, **counts: Any) -> None:
        """The run is over."""
        self.tell("playbook_on_stats", **counts)

    def finish(self, code: int | None = 0, cut: str | None = None) -> dict[str, HostResult]:
        """Return how the hosts ended."""
        ended = [event for event in self.log.finish(code=code, cut=cut) if isinstance(event, HostEnded)]
        return {event.host: event.result for event in ended}


def made(batches: tuple[tuple[str, ...], ...]) -> Play:
    """Return a play with these batches."""
    hosts = tuple(name for batch in batches for name in batch)
    return Play(index=0, name="p", source=Path("/p.yml"), line=1, hosts=hosts, batches=batches)


def test_clock_that_was_set_back() -> None:
    story = Story((("a",),))
    story.play()
    story.tell("runner_on_ok", host="a", task="t", task_uuid="t", resolved_action="x", duration=-1e9, res={})
    story.stats()
    host = story.finish()["a"]
    assert (host.seconds, host.steps[0].seconds) == (0.0, 0.0)


def test_hosts_come_in_the_order_of_the_plays() -> None:
    story = Story((("b", "a"),))
    story.play()
    for name in ("a", "extra", "b"):
        story.ok(name, "t")
    story.stats()
    assert list(story.finish()) == ["b", "a", "extra"]


def test_ignored_and_rescued_failures_are_told_apart_by_the_counts() -> None:
    story = Story((("a",),))
    story.play()
    story.failed("a", "ignored", ignore=True)
    story.failed("a", "rescued")
    story.ok("a", "rescue")
    story.failed("a", "fatal")
    story.stats(failures={"a": 1})
    host = story.finish(2)["a"]
    assert [(step.name, step.ignored) for step in host.steps] == [
        ("ignored", True),
        ("rescued", True),
        ("rescue", False),
        ("fatal", False),
    ]
    assert host.failure == "fatal: no"


def test_loop_counts_as_one_failure() -> None:
    story = Story((("a",),))
    story.play()
    for number in (1, 2):
        story.end("runner_item_on_failed", "a", "loop", res={"msg": f"no {number}", "item": number})
    story.failed("a", "loop", results=[])
    story.stats(failures={"a": 1})
    host = story.finish(2)["a"]
    assert [(step.name, step.status.value, step.ignored) for step in host.steps] == [
        ("loop (item=1)", "failed", False),
        ("loop (item=2)", "failed", False),
    ]


def test_items_are_told_in_order_and_only_once_known() -> None:
    story = Story((("a",),))
    story.play()
    story.end("runner_item_on_ok", "a", "loop", res={"_ansible_item_label": "one"})
    assert [event.result.name for event in story.events if isinstance(event, StepEnded)] == ["loop (item=one)"]
    story.end("runner_item_on_failed", "a", "loop", res={"_ansible_item_label": "two"})
    story.end("runner_item_on_ok", "a", "loop", res={"_ansible_item_label": "three"})
    assert len([event for event in story.events if isinstance(event, StepEnded)]) == 1
    story.failed("a", "loop", ignore=True)
    ended = [event.result for event in story.events if isinstance(event, StepEnded)]
    assert [(step.name, step.ignored) for step in ended[1:]] == [
        ("loop (item=two)", True),
        ("loop (item=three)", False),
    ]


def test_loop_that_fails_as_a_whole() -> None:
    story = Story((("a",),))
    story.play()
    story.failed("a", "loop", msg="its list cannot be worked out")
    story.stats(failures={"a": 1})
    assert story.finish(2)["a"].failure == "loop: its list cannot be worked out"


def test_unreachable_and_told_to_go_on() -> None:
    story = Story((("a", "b"),))
    story.play()
    for name in ("a", "b"):
        story.end("runner_on_unreachable", name, "t", res={"msg": "Task failed: no route"})
    story.ok("b", "next")
    story.stats(dark={"a": 1})
    hosts = story.finish(4)
    assert (hosts["a"].status, hosts["a"].error, hosts["a"].steps) == (Status.UNREACHABLE, "no route", ())
    assert [(step.status, step.ignored) for step in hosts["b"].steps] == [(Status.FAILED, True), (Status.OK, False)]
    assert hosts["b"].status is Status.OK


def test_cut_off_hosts_have_failed_but_not_those_that_were_through() -> None:
    story = Story((("early",),), (("late",),))
    story.play("one")
    story.ok("early", "t")
    story.play("two")
    story.tell("runner_on_start", host="late", task="t", resolved_action="x")
    hosts = story.finish(75, cut="interrupted")
    assert hosts["early"].status is Status.OK
    assert hosts["late"].error == "interrupted, while 't' was running"


def test_crash_of_ansible_is_a_failure_with_its_last_words() -> None:
    story = Story((("a",),), hidden=Hidden(["canary"]))
    story.play()
    story.ok("a", "t")
    story.tell("verbose", stdout="\x1b[31mERROR! Unexpected Exception: canary\x1b[0m\r\n")
    host = story.finish(250)["a"]
    assert host.status is Status.FAILED
    assert host.error == "ansible-playbook ended early (exit code 250): ERROR! Unexpected Exception: ***"


def test_what_roles_and_included_files_hold_is_learnt_when_they_come_up() -> None:
    def read(path: Path) -> list[str]:
        return [f"canary-{path.name}"]

    story = Story((("a",),), hidden=Hidden(["canary-known"], places=["/p.yml:3"], read=read))
    story.play()
    told = "canary-known canary-vars canary-file.yml"
    story.end("runner_on_ok", "a", "first", task_path="/p.yml:1", res={"msg": told})
    story.end("runner_on_ok", "a", "of a role", task_path="/roles/r/tasks/deep/main.yml:1", res={"msg": told})
    include = {"host": "a", "resolved_action": "ansible.builtin.include_vars"}
    story.tell("runner_on_ok", **include, task_path="/p.yml:3", res={"censored": "no_log"})
    story.tell("runner_on_ok", **include, task_path="/p.yml:4", res={"ansible_included_var_files": ["/file.yml"]})
    story.end("runner_on_ok", "a", "last", task_path="/p.yml:5", res={"msg": told})
    story.stats()
    assert [step.reason for step in story.finish()["a"].steps] == [
        "*** canary-vars canary-file.yml",
        "*** *** canary-file.yml",
        "hidden: no_log is set",
        "",
        "*** *** ***",
    ]
    assert story.log.warnings == ()


@pytest.mark.parametrize("res", [{"censored": "no_log"}, {"results": [{}, {"censored": "no_log"}]}])
def test_nothing_is_shown_after_an_encrypted_file_that_is_not_known(res: dict[str, Any]) -> None:
    story = Story((("a", "b"),))
    story.play()
    story.ok("a", "before", msg="shown")
    story.tell("runner_on_ok", host="a", resolved_action="include_vars", task_path="/p.yml:4", res=res)
    story.failed("b", "canary", ignore=True, msg="canary")
    story.ok("a", "canary", msg="canary", changed=True)
    story.end("runner_on_unreachable", "a", "canary", res={"msg": "canary"})
    story.tell("verbose", stdout="canary")
    story.tell("warning", stdout="canary")
    story.stats(dark={"a": 1})
    hosts = story.finish()
    assert [step.reason for step in hosts["a"].steps][0] == "shown"
    assert (hosts["b"].status, hosts["a"].status) == (Status.OK, Status.UNREACHABLE)
    assert "canary" not in repr([story.events, hosts, story.log.words, story.log.warnings])
    assert str(hosts["b"].steps[0].error).startswith("hidden: ")
    assert story.log.warnings[0].startswith("/p.yml:4: include_vars has read an encrypted file")


def test_failure_whose_event_was_lost() -> None:
    story = Story((("a",),))
    story.play()
    story.ok("a", "t")
    story.stats(failures={"a": 1})
    assert "did not tell which" in str(story.finish(2)["a"].error)


def test_exit_code_that_nothing_explains() -> None:
    story = Story((("a",),))
    story.play()
    story.ok("a", "t")
    story.stats()
    assert "exit code 1, though no host failed" in str(story.finish(1)["a"].error)


@pytest.mark.parametrize(("code", "error"), [(0, None), (2, NOT_STARTED)])
def test_host_without_any_event(code: int, error: str | None) -> None:
    story = Story((("a", "silent"),))
    story.play()
    story.ok("a", "t") if code == 0 else story.failed("a", "t")
    story.stats(failures={"a": 1} if code else {})
    assert story.finish(code)["silent"].error == error


def test_play_for_which_ansible_finds_no_host_fails_those_that_it_was_for() -> None:
    """An inventory can say something else when it is read again; the mark at the end may find no host either."""
    story = Story((("a", "b"),), (("b", "c"),), ((),), end_mark="mark")
    story.play("one")
    story.ok("b", "t")
    for uuid, name in (("two", "p"), ("three", "p"), ("four", "mark")):
        story.play(uuid, name)
        story.tell("playbook_on_no_hosts_matched")
    story.stats()
    hosts = story.finish()
    assert {name: host.status for name, host in hosts.items()} == dict(a=Status.OK, b=Status.FAILED, c=Status.FAILED)
    assert str(hosts["c"].error).startswith("play 'p' was not run: ansible-playbook reads the inventory again")


def test_host_that_is_awaited_by_a_later_play_or_batch() -> None:
    story = Story((("a",), ("b", "d")), (("c", "d"),))
    story.play("one")
    story.failed("a", "t")
    story.play("one_2")
    story.ok("b", "t")
    story.ok("d", "t")
    story.stats(failures={"a": 1})
    hosts = story.finish(2)
    assert hosts["b"].error is None
    assert hosts["c"].error == hosts["d"].error == NOT_STARTED
    assert (hosts["c"].status, hosts["d"].status) == (Status.SKIPPED, Status.OK)
    assert not story.log.completed


def test_of_the_play_before_the_others_nothing_is_told() -> None:
    story = Story((("a",),), start_mark="lost")
    assert not story.log.started
    story.play("u1", name="lost")
    story.failed("b", "Fail")
    story.tell("playbook_on_no_hosts_matched")
    assert (story.log.started, story.events) == (True, [])
    story.play("u2")
    story.ok("a", "Speak")
    story.stats(ok={"a": 1}, failures={"b": 1})
    assert {name: str(host.status) for name, host in story.finish(code=2).items()} == {"a": "ok"}
    assert story.log.completed


def test_completed_by_its_end_mark() -> None:
    story = Story((("a",),), end_mark="mark")
    story.play("one")
    assert not story.log.completed
    story.play("two", "mark")
    story.stats()
    assert story.log.completed


@pytest.mark.parametrize("stopped_in", [1, 2])
def test_completed_by_its_plays(stopped_in: int) -> None:
    """Ansible stopped in the first play, and yet began the second; or it stopped in the second."""
    story = Story((("a",),), (("b",),))
    for number in (1, 2):
        story.play(f"play{number}")
        if stopped_in == number:
            story.tell("playbook_on_no_hosts_remaining")
    story.stats()
    assert story.log.completed is (stopped_in == 1)


def test_includes_are_steps_only_when_they_are_skipped_or_fail() -> None:
    story = Story((("a",),))
    include = {"host": "a", "task": "include", "resolved_action": "ansible.builtin.include_tasks"}
    story.play()
    story.tell("runner_on_start", **include)
    story.tell("runner_on_ok", **include, res={})
    assert story.events == []
    story.tell("runner_on_skipped", **include, res={"false_condition": "x"})
    story.tell("runner_on_failed", **include, res={"msg": "no file"})
    story.stats(failures={"a": 1})
    result = story.finish(2)["a"]
    assert [(step.status, step.reason) for step in result.steps] == [
        (Status.SKIPPED, "the condition is false: x"),
        (Status.FAILED, ""),
    ]
    assert result.failure == "include: no file"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"event": None, "event_data": []},
        {"event": "runner_on_ok", "event_data": {"host": 3}},
        {"event": "runner_on_ok", "event_data": {"host": "a", "res": "text"}},
        {"event": "runner_item_on_ok", "event_data": {"host": "a"}},
        {"event": "playbook_on_stats", "event_data": {"failures": [1], "dark": None}},
        {"event": "playbook_on_play_start", "event_data": None},
        {"event": "verbose", "stdout": 7},
    ],
)
def test_odd_events_do_no_harm(event: dict[str, Any]) -> None:
    story = Story((("a",),))
    story.play()
    list(story.log.feed(event))
    assert set(story.finish(0)) == {"a"}
