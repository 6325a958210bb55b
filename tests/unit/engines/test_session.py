"""One host's share of a run: whatever the host does, it ends in exactly one state, and the others do not notice."""

from __future__ import annotations

import dataclasses
import json
import re
import threading
import time

import pytest

from opslib.carriers import payload, protocol
from opslib.engines import session as session_module
from opslib.engines.batch import BatchEngine
from opslib.engines.emitter import Emitter
from opslib.engines.session import Session
from opslib.engines.work import HostWork, KnownResult
from opslib.errors import CarrierError, UnreachableError, UsageError
from opslib.events import HostEnded, HostStarted, StepEnded, StepStarted, StepTold
from opslib.result import Status, StepResult
from opslib.step import Become, Step
from opslib.target import Target
from support import fakes
from support.fakes import CHANGED, FAILED, OK, ConnectionFails, FakeConnections, bye, end, host, raw, saying, start
from support.probes import Mishap, Note

TARGET = Target(name="web1")
PASSWORD = Become(password="hunter2")
ROOT = Target(name="web1", become=PASSWORD)


def step(number, how="fine", **more):
    """Return a step that a scripted host answers for."""
    return Step(task=Mishap(how=how), name=f"step {number}", id=number, position=more.pop("position", number), **more)


def skipped(name):
    """Return the result of a step that is known to be skipped."""
    return StepResult(name=name, task="mishap", status=Status.SKIPPED, reason="when: false")


class Ran:
    """A session that has run, and everything that can be known of it."""

    def __init__(
        self,
        script,
        items=None,
        *,
        target=TARGET,
        user=None,
        held=False,
        timeout=None,
        check=False,
        secrets=(),
        cancel=None,
        parts=None,
    ):
        self.events = []
        self.connections = FakeConnections({target.name: script}, held=held, user=user)
        self.cancel = cancel or threading.Event()
        work = HostWork(target=target, items=items if items is not None else [step(0), step(1)])
        session = Session(
            work,
            self.connections,
            check=check,
            timeout=timeout,
            secrets=frozenset(secrets),
            emit=self.events.append,
            cancel=self.cancel,
        )
        for part in parts or [None]:
            session.run(part)
        self.over = session.over
        self.result = session.result()

    @property
    def channels(self):
        """All channels of the host that was connected to last."""
        return self.connections.channels(TARGET.name)

    @property
    def statuses(self):
        """The steps' statuses in order."""
        return [str(result.status) for result in self.result.steps]

    @property
    def names(self):
        """The steps' names in order."""
        return [result.name for result in self.result.steps]

    def check_order(self):
        """See that events are well-formed: begin, steps one after the other, end."""
        assert [type(event) for event in self.events if isinstance(event, HostStarted | HostEnded)] == [
            HostStarted,
            HostEnded,
        ]
        assert isinstance(self.events[0], HostStarted)
        assert isinstance(self.events[-1], HostEnded)
        assert self.events[-1].result == self.result
        assert [event.result for event in self.events if isinstance(event, StepEnded)] == list(self.result.steps)
        running = None
        for event in self.events:
            assert event.host == self.result.name
            if isinstance(event, StepStarted):
                assert running is None
                running = event.step
            elif isinstance(event, StepEnded) and event.result.status is not Status.SKIPPED:
                assert event.result.name == running
                running = None


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch):
    monkeypatch.setattr(session_module, "SILENCE", 0.3)
    monkeypatch.setattr(session_module, "GRACE", 0.1)
    monkeypatch.setattr(session_module, "_TICK", 0.02)


def forever(channel):
    """Say nothing, for ever."""
    while True:
        yield None


def silent_from(*lines):
    """Say this, then nothing, for ever."""

    def script(channel):
        yield from saying(*lines)(channel)
        yield from forever(channel)

    return script


def beating(*lines):
    """Say this, then only that it is alive, for ever."""

    def script(channel):
        yield from saying(*lines)(channel)
        while True:
            yield raw("beat")(channel)
            yield None

    return script


def with_attributes(script, **attributes):
    """Set something of the channel first."""

    def changed(channel):
        for name, value in attributes.items():
            setattr(channel, name, value)
        return script(channel)

    return changed


def test_all_well():
    """A healthy host: both steps, in order, in one payload."""
    ran = Ran(host(CHANGED, OK))
    ran.check_order()
    assert (ran.result.status, ran.statuses, ran.result.error) == (Status.CHANGED, ["changed", "ok"], None)
    assert len(ran.channels) == 1
    assert ran.channels[0].closed == 1
    assert not ran.over


FIRST_DONE = (start(0), end(0))
SENSELESS = "the host's answer( to 'step 0')? makes no sense"
BAD_ENDS = [
    {**OK, "status": "splendid"},
    {**OK, "status": "unreachable"},
    {**OK, "status": "skipped"},
    {**OK, "status": None},
    {**OK, "status": []},
    {},
    {**OK, "changes": 5},
    {**OK, "changes": "text"},
    {**OK, "changes": [5]},
    {**OK, "changes": [{}]},
    {**OK, "changes": [{"kind": 1, "summary": "x"}]},
    {**OK, "data": [1]},
    {**OK, "data": "text"},
    {**OK, "warnings": [5]},
    {**OK, "warnings": 5},
    {**OK, "reason": {"a": 1}},
    {**OK, "error": 5},
    {**OK, "seconds": "soon"},
    {**OK, "seconds": 10**400},
    {**OK, "seconds": [1]},
]

ENDLESS = "only alive, for ever"
U, F = Status.UNREACHABLE, Status.FAILED
TROUBLE = {
    "cannot be connected to": (ConnectionFails(UnreachableError("no route")), U, "^no route$", []),
    "cannot be connected to, without a word": (ConnectionFails(UnreachableError("")), U, "it did not say why", []),
    "the connector has a defect": (
        ConnectionFails(RuntimeError("oops")),
        F,
        "^internal error: RuntimeError: oops$",
        [],
    ),
    "connecting takes too long": (ConnectionFails(TimeoutError()), F, "the time for this host was up", []),
    "a new connection takes no command": ([CarrierError("no channel")], U, "^no channel$", []),
    "starting raises a defect": ([KeyError("x")], F, "^internal error: KeyError", []),
    "lost at once": (saying(), U, "^the connection was lost$", []),
    "lost with words": (saying(b"Connection to host closed\n"), U, r"^the connection was lost \(Connection to", []),
    "lost after hello": (saying(raw('hello {"python": [3, 8, 1]}')), U, "^the connection was lost$", []),
    "lost in a step": (
        saying(*FIRST_DONE, start(1)),
        U,
        "^the connection was lost, while 'step 1' was running: whether it was finished is not known$",
        ["ok"],
    ),
    "lost between two steps": (saying(*FIRST_DONE), U, "^the connection was lost$", ["ok"]),
    "lost in a half line": (saying(start(0), b"opslib:"), U, "while 'step 0' was running", []),
    "no Python": (saying(code=127), F, "python3 was not found on the host; set ansible_python_interpreter", []),
    "no Python, says sudo": (
        saying(b"sudo: python3: command not found\n", code=1),
        F,
        "python3 was not found on the host",
        [],
    ),
    "Python fails": (saying(b"Traceback: zlib\n", code=1), F, r"\(exit code 1\): Traceback: zlib$", []),
    "Python says nothing": (saying(code=71), F, r"\(exit code 71\): it said nothing$", []),
    "Python dies in a step": (saying(start(0), code=75), F, r"\(exit code 75\)", []),
    "sudo wants a password": (saying(b"sudo: a password is required\n", code=1), F, "give ansible_become_password", []),
    "no login shell": (saying(b"This account is currently not available.\n", code=1), F, "currently not available", []),
    "nonsense with the token": (saying(raw("what is this")), F, SENSELESS, []),
    "nonsense after a step": (saying(*FIRST_DONE, raw("end 1 x")), F, SENSELESS, ["ok"]),
    "a step that does not exist": (saying(start(2)), F, SENSELESS, []),
    "a step that had not begun": (saying(end(0)), F, "it ended a step that it had not begun", []),
    "another step than had begun": (saying(start(0), end(1)), F, "it ended a step that it had not begun", []),
    "a step twice": (saying(*FIRST_DONE, *FIRST_DONE), F, "it began a step out of turn", ["ok"]),
    "an end twice": (saying(*FIRST_DONE, end(0)), F, "it ended a step that it had not begun", ["ok"]),
    "steps in the wrong order": (saying(start(1), end(1), start(0)), F, "it began a step out of turn", ["ok"]),
    "two steps at once": (saying(start(0), start(1)), F, "it began a step out of turn", []),
    "goodbye before the end": (saying(*FIRST_DONE, bye()), F, "the host ended without doing 'step 1'", ["ok"]),
    "goodbye at once": (saying(bye()), F, "the host ended without doing 'step 0'", []),
    "goodbye in a step": (saying(start(0), bye()), F, "the host ended without doing 'step 0'", []),
    "the payload gives up": (saying(*FIRST_DONE, bye("no more memory")), F, "^no more memory$", ["ok"]),
    "the payload gives up without a word": (saying(bye("")), F, "^it did not say why$", []),
    "half characters": (saying(bye("\ud800 \udcff")), F, r"^\\ud800 \\udcff$", []),
    "too old": (saying(bye("Python 3.7 is too old on this host")), F, "3.7 is too old", []),
    "too much": (saying(*[b"x" * 1000] * 20), F, "the host sent more than", []),
    "silent": (forever, U, "the host has been silent for 0.3 seconds; it is frozen or cut off", []),
    "silent in a step": (silent_from(start(0)), U, "silent for .* while 'step 0' was running", []),
    ENDLESS: (beating(start(0)), F, "the time for this host was up, while 'step 0' was running", []),
    "receiving raises a defect": (saying(ValueError("broken")), F, "^internal error: ValueError: broken$", []),
    "receiving raises nonsense": (saying(CarrierError("odd")), F, "^odd$", []),
    "sending fails": (with_attributes(saying(), send_error=CarrierError("gone")), U, "^the connection was lost$", []),
    "sending fails, with a reason": (
        with_attributes(saying(), send_error=CarrierError("gone"), stderr="bash: python3: command not found", code=127),
        F,
        "python3 was not found",
        [],
    ),
    "sending takes too long": (with_attributes(saying(), send_error=TimeoutError()), F, "the time for this host", []),
    "too deep": (saying(start(0), raw("end 0 ok 0 " + '{"a":' * 900 + "1" + "}" * 900)), F, SENSELESS, []),
    **{f"result {n}": (saying(start(0), end(0, bad)), F, SENSELESS, []) for n, bad in enumerate(BAD_ENDS)},
}


@pytest.mark.parametrize("name", TROUBLE)
def test_every_trouble_ends_in_one_state(name, monkeypatch):
    """Exactly one state, with words; what was done before is kept; the channel is closed; events are in order."""
    monkeypatch.setattr(protocol, "MAX_TOTAL", 10_000 if name == "too much" else 1 << 20)
    script, status, error, statuses = TROUBLE[name]
    ran = Ran(script, timeout=0.6 if name == ENDLESS else None)
    assert (ran.result.status, ran.statuses) == (status, statuses)
    assert ran.result.error is not None
    assert re.search(error, ran.result.error), ran.result.error
    assert ran.result.failure == ran.result.error
    ran.result.error.encode()
    assert all(channel.closed == 1 for channel in ran.channels)
    assert ran.over
    ran.check_order()
    json.dumps(ran.result.to_dict(), allow_nan=False).encode()


def test_no_trouble_reaches_other_hosts(monkeypatch):
    """All bad hosts at once, with healthy ones among them: one state for each, in the given order."""
    monkeypatch.setattr(protocol, "MAX_TOTAL", 10_000)
    scripts = {}
    for name in TROUBLE:
        scripts[name] = TROUBLE[name][0]
        scripts["healthy " + name] = host(CHANGED, OK)
    events = []
    engine = BatchEngine(forks=60, emit=Emitter(events.append))
    engine.connections = FakeConnections(scripts)
    works = [
        HostWork(target=Target(name=name), items=[step(0), step(1)], timeout=0.6 if name == ENDLESS else None)
        for name in scripts
    ]
    results = engine.run(works)
    assert list(results) == list(scripts)
    for name in TROUBLE:
        assert results[name].status is TROUBLE[name][1], (name, results[name])
        assert results["healthy " + name].status is Status.CHANGED, results["healthy " + name]
    ended = [event.host for event in events if isinstance(event, HostEnded)]
    assert sorted(ended) == sorted(scripts)


def test_a_stale_connection_is_replaced_once():
    """A held connection that takes no command is not the host's fault."""
    ran = Ran([CarrierError("stale"), host()], held=True)
    assert (ran.result.status, ran.connections.dropped) == (Status.OK, ["web1"])
    ran = Ran([CarrierError("stale"), CarrierError("worse")], held=True)
    assert (ran.result.status, ran.result.error) == (Status.UNREACHABLE, "worse")


def test_a_lost_connection_is_not_used_again():
    """The next run connects anew."""
    for name in ("lost in a step", "silent", ENDLESS):
        ran = Ran(TROUBLE[name][0], timeout=0.6 if name == ENDLESS else None)
        assert ran.connections.dropped == ["web1"]


def test_a_failed_step_ends_the_hosts_work():
    """The step says why; the host has no error of its own."""
    ran = Ran(host(OK, FAILED), [step(0), step(1), step(2)])
    ran.check_order()
    assert (ran.result.status, ran.statuses, ran.result.error) == (Status.FAILED, ["ok", "failed"], None)
    assert ran.result.failure == "step 1: it is broken"
    assert ran.over


def test_an_ignored_failure_does_not():
    """It is marked, and the host goes on."""
    ran = Ran(host(FAILED, OK), [step(0, ignore_errors=True), step(1)])
    assert (ran.result.status, ran.statuses) == (Status.OK, ["failed", "ok"])
    assert [result.ignored for result in ran.result.steps] == [True, False]
    assert not ran.over


def test_what_is_sent():
    """Circumstances of steps travel with them; what is not set does not."""
    steps = [
        step(0),
        step(1, timeout=5, ignore_errors=True, check=False, handler_of=[0], always=True, position=None),
        step(2, handler_of=[]),
    ]
    ran = Ran(host(), steps, check=True, timeout=100)
    job = ran.channels[0].job
    assert job["steps"] == [
        {"id": 0, "task": "mishap", "args": {"how": "fine", "seconds": 1000.0}, "group": 0},
        {
            "id": 1,
            "task": "mishap",
            "args": {"how": "fine", "seconds": 1000.0},
            "timeout": 5,
            "check": False,
            "notified": [0],
            "always": True,
            "ignore_errors": True,
        },
        {"id": 2, "task": "mishap", "args": {"how": "fine", "seconds": 1000.0}, "group": 2, "notified": []},
    ]
    assert (job["check"], job["watch"], job["changed"]) == (True, True, [])
    assert 90 < job["deadline"] <= 100
    assert Ran(host()).channels[0].job["deadline"] is None
    assert ran.channels[0].argv == payload.command("python3")


def test_the_targets_interpreter_is_used():
    """As a word of its own."""
    target = Target(name="web1", interpreter="/opt/python 3/bin/python3")
    assert Ran(host(), target=target).channels[0].argv[0] == "/opt/python 3/bin/python3"


def test_handlers_that_were_not_notified_leave_no_trace():
    """Only the host knows which were; the others are not missed."""
    items = [step(0), step(1, handler_of=[0]), step(2)]
    ran = Ran(saying(start(0), end(0), start(2), end(2), bye()), items)
    assert (ran.result.status, ran.names) == (Status.OK, ["step 0", "step 2"])
    ran = Ran(saying(start(0), end(0), start(1), end(1), bye()), items)
    assert ran.result.error == "the host ended without doing 'step 2'"


# Skipped steps


def test_skipped_steps_keep_their_places():
    """They are reported between the others, as if the host had skipped them."""
    items = [skipped("a"), step(0), skipped("b"), skipped("c"), step(1), skipped("d")]
    ran = Ran(host(OK, CHANGED), items)
    ran.check_order()
    assert ran.names == ["a", "step 0", "b", "c", "step 1", "d"]
    assert ran.statuses == ["skipped", "ok", "skipped", "skipped", "changed", "skipped"]


def test_after_a_failure_nothing_more_is_skipped():
    """What would have been skipped later was never come to."""
    ran = Ran(host(FAILED), [skipped("a"), step(0), skipped("b"), step(1), skipped("c")])
    assert ran.names == ["a", "step 0"]


@pytest.mark.parametrize("name", ["lost in a step", "the payload gives up", ENDLESS, "goodbye in a step"])
def test_after_trouble_nothing_more_is_skipped(name):
    """Nor after a connection was lost or time was up."""
    ran = Ran(TROUBLE[name][0], [step(0), step(1), skipped("b")], timeout=0.6 if name == ENDLESS else None)
    assert "b" not in ran.names


def test_a_host_with_nothing_but_skipped_steps_is_skipped():
    """And needs no connection."""
    ran = Ran(ConnectionFails(UnreachableError("never asked")), [skipped("a"), skipped("b")])
    ran.check_order()
    assert (ran.result.status, ran.names, ran.connections.asked) == (Status.SKIPPED, ["a", "b"], [])


def test_a_host_with_nothing_to_do_is_ok():
    """As in Ansible."""
    ran = Ran(ConnectionFails(UnreachableError("never asked")), [])
    assert (ran.result.status, ran.connections.asked) == (Status.OK, [])


# Users


def test_steps_of_one_user_go_together():
    """Segments follow each other; a skipped step goes with those before it; all use one connection."""
    root, other = Become(), Become(user="app")
    items = [
        skipped("a"),
        step(0),
        step(1),
        skipped("b"),
        step(2, become=root),
        step(3, become=True),
        step(4, become=other),
        step(5, become=False),
    ]
    ran = Ran(host(), items)
    ran.check_order()
    assert ran.names == ["a", "step 0", "step 1", "b", "step 2", "step 3", "step 4", "step 5"]
    sent = [[row["id"] for row in channel.job["steps"]] for channel in ran.channels]
    assert sent == [[0, 1], [2, 3], [4], [5]]
    ways = [channel.argv[: channel.argv.index("python3")] for channel in ran.channels]
    assert ways == [
        [],
        ["sudo", "-n", "-H", "-u", "root", "--"],
        ["sudo", "-n", "-H", "-u", "app", "--"],
        [],
    ]
    assert len({channel.job["token"] for channel in ran.channels}) == 4


def test_the_hosts_own_become_holds_unless_a_step_says_otherwise():
    """A step's user without a password gets the host's password."""
    own = Become(user="admin", password="hunter2", exe="/usr/bin/sudo", flags=["-E"])
    target = Target(name="web1", become=own)
    items = [step(0), step(1, become=True), step(2, become=Become(user="app")), step(3, become=False)]
    ran = Ran(host(), items, target=target)
    assert [[row["id"] for row in channel.job["steps"]] for channel in ran.channels] == [[0, 1], [2], [3]]
    first, second, third = (channel.argv for channel in ran.channels)
    assert first[:3] == ["/usr/bin/sudo", "-E", "-S"]
    assert first[first.index("-u") + 1] == "admin"
    assert (second[1], second[second.index("-u") + 1]) == ("-S", "app")
    assert third[0] == "python3"
    assert not any("hunter2" in word for channel in ran.channels for word in channel.argv)


def test_a_host_whose_python_is_of_another_version_gets_the_source():
    """Once it has asked for it, and only then."""
    ran = Ran(saying(raw("source"), start(0), end(0), bye()), [step(0)])
    (channel,) = ran.channels
    assert ran.statuses == ["ok"]
    assert channel.sends[1] == payload.source(payload.Job(steps=(), tasks=(Mishap,)))
    assert len(Ran(host(), [step(0)]).channels[0].sends) == 1


def test_changes_are_known_in_later_segments():
    """A handler as another user is told what changed before; a failed step's changes do not count."""
    items = [
        step(0),
        step(1, ignore_errors=True),
        step(2, become=True),
        step(3, handler_of=[0, 1], become=Become(user="app")),
    ]
    ran = Ran(host(CHANGED, {**FAILED, "changed": True}, CHANGED, OK), items)
    assert [channel.job["changed"] for channel in ran.channels] == [[], [(0, 0)], [(0, 0), (2, 2)]]


def test_a_loop_over_several_segments_notifies_nobody_when_an_item_fails():
    """What an item changed in an earlier segment does not count any more."""
    items = [
        step(0, position=3),
        step(1, position=3, become=True, ignore_errors=True),
        step(2, handler_of=[0, 1]),
    ]
    ran = Ran(host(CHANGED, FAILED), items)
    assert [channel.job["changed"] for channel in ran.channels] == [[], [(0, 3)], []]


def known(name, **place):
    """Return a result in the place of a step."""
    return dataclasses.replace(KnownResult.of(skipped(name), place.pop("position", 9)), **place)


def test_a_handler_that_would_be_skipped_is_heard_of_when_it_is_notified():
    """It comes with the steps around it, as a plain result."""
    items = [
        step(0),
        step(1),
        known("a", handler_of=[0]),
        known("b", handler_of=[1]),
        step(2),
        known("c", handler_of=[0]),
    ]
    ran = Ran(host(CHANGED, OK, OK), items)
    ran.check_order()
    assert ran.names == ["step 0", "step 1", "a", "step 2", "c"]
    assert type(ran.result.steps[2]) is StepResult


@pytest.mark.parametrize(("always", "names"), [(False, ["step 0", "step 1"]), (True, ["step 0", "step 1", "a"])])
def test_after_a_failure_a_skipped_handler_is_heard_of_only_if_it_runs_always(always, names):
    """As the step that it stands for."""
    items = [step(0), step(1), known("a", handler_of=[0], always=always), step(2)]
    assert Ran(host(CHANGED, FAILED), items).names == names


def test_a_skipped_item_is_heard_of_after_a_failed_one():
    """A loop is told to its end, and nothing after it."""
    items = [step(0, position=3), known("a", position=3), known("b", position=4), skipped("c")]
    assert Ran(host(FAILED), items).names == ["step 0", "a"]


def test_a_failure_stops_later_segments_but_for_steps_that_run_always():
    """Nothing is sent in vain."""
    items = [step(0), step(1, become=True), skipped("a"), step(2, become=True, always=True), step(3), skipped("b")]
    ran = Ran(host(FAILED), items)
    assert [[row["id"] for row in channel.job["steps"]] for channel in ran.channels] == [[0], [2]]
    assert ran.names == ["step 0", "step 2"]
    assert ran.result.status is Status.FAILED


def test_the_items_of_a_loop_run_in_all_segments():
    """A failed item stops what comes after the loop, not the loop."""
    items = [step(0, position=7), step(1, position=7, become=True), step(2, position=8)]
    ran = Ran(host(FAILED), items)
    assert ran.names == ["step 0", "step 1"]


def test_a_lost_host_gets_no_further_segment():
    """Not even steps that run always."""
    ran = Ran([saying(start(0)), host()], [step(0), step(1, become=True, always=True)])
    assert (ran.result.status, ran.names) == (Status.UNREACHABLE, [])
    assert ran.connections.asked == ["web1"]


def test_who_is_that_user_already_needs_no_sudo():
    """As in Ansible; nor is the password wanted."""
    ran = Ran(host(), [step(0), step(1, become=Become(user="app"))], target=ROOT, user="root")
    assert [channel.argv[0] for channel in ran.channels] == ["python3", "sudo"]
    assert not any(b"hunter2" in channel.sent for channel in ran.channels[:1])


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            "sh: 1: sudo: not found",
            r"^sudo was not found on the host; install it, or log in as root \(sh: 1: sudo: not",
        ),
        ("", "^sudo was not found on the host; install it, or log in as root$"),
        ("sudo: python3: command not found", "^python3 was not found on the host; set ansible_python_interpreter"),
    ],
)
def test_what_is_missing_on_a_host_is_named(words, error):
    """The shell misses sudo, sudo misses Python."""

    def missing(channel):
        channel.stderr, channel.code = words, 127
        yield b""

    ran = Ran(missing, target=ROOT)
    assert ran.result.status is Status.FAILED
    assert re.search(error, ran.result.error)


# sudo's question


def asking(times, then=None, code=None, words=""):
    """Return a host whose sudo asks for the password so many times before it goes on."""

    def script(channel):
        for _time in range(times):
            channel.stderr += words + f"[{channel.token}] "
            count = len(channel.sends)
            while then is not None and len(channel.sends) == count:
                yield None
        if then is not None:
            yield from then(channel)
        channel.code = code

    return script


def with_password(script, **more):
    """Run two steps as root by sudo with a password."""
    return Ran(script, target=ROOT, **more)


def test_sudo_gets_the_password_when_it_asks():
    """First the password, and the payload only when Python runs."""
    ran = with_password(asking(1, host(), words="We trust you have received the usual lecture.\n"))
    assert ran.result.status is Status.OK
    channel = ran.channels[0]
    assert channel.sends[0] == b"hunter2\n"
    assert channel.sends[1].startswith(payload.MARK)
    assert len(channel.sends) == 2
    assert channel.argv[:7] == ["sudo", "-S", "-p", f"[{channel.token}] ", "-H", "-u", "root"]
    assert "hunter2" not in " ".join(channel.argv)


def test_a_sudo_that_does_not_ask_gets_no_password():
    """It would go to the payload, or worse."""
    ran = with_password(asking(0, host()))
    assert (ran.result.status, len(ran.channels[0].sends)) == (Status.OK, 1)


def test_greetings_do_not_disturb_the_question():
    """Noise on standard output comes first."""

    def noisy(channel):
        yield b"Welcome!\nopslib-ready?\n"
        yield from asking(1, host())(channel)

    assert with_password(noisy).result.status is Status.OK


def test_a_wrong_password_is_not_tried_twice():
    """Accounts are locked that way."""

    def wrong(channel):
        yield from asking(1, lambda _channel: iter([None]))(channel)
        channel.stderr += f"Sorry, try again.\n[{channel.token}] "
        yield from forever(channel)

    ran = with_password(wrong)
    assert (ran.result.status, ran.result.error) == (Status.FAILED, "sudo does not accept the become password")
    assert ran.channels[0].sent == b"hunter2\n"
    ran.check_order()


@pytest.mark.parametrize(
    ("stderr", "code", "status", "error"),
    [
        ("sudo: 1 incorrect password attempt", 1, F, "1 incorrect password attempt"),
        ("deploy is not in the sudoers file.", 1, F, "not in the sudoers file"),
        ("sudo: unknown user nobody2", 1, F, "unknown user"),
        ("", None, U, "the connection was lost"),
    ],
)
def test_a_sudo_that_refuses_says_why(stderr, code, status, error):
    """Its words are the error."""

    def refusing(channel):
        channel.stderr, channel.code = stderr, code
        yield b""

    ran = with_password(refusing)
    assert ran.result.status is status
    assert error in ran.result.error
    ran.check_order()


def test_a_sudo_that_hangs_is_given_up():
    """Also without any deadline."""
    ran = with_password(forever)
    assert ran.result.status is Status.FAILED
    assert "sudo neither asked for the password nor started Python" in ran.result.error


def test_a_sudo_that_takes_too_long(monkeypatch):
    """The deadline covers it."""
    monkeypatch.setattr(session_module, "SILENCE", 60)
    ran = with_password(forever, timeout=0.1)
    assert (ran.result.status, ran.result.error) == (Status.FAILED, "the time for this host was up")


def test_a_sudo_that_is_interrupted():
    """A cancelled run does not wait for it."""
    cancel = threading.Event()

    def cancelling(channel):
        cancel.set()
        yield from forever(channel)

    ran = with_password(cancelling, cancel=cancel)
    assert (ran.result.status, ran.result.error) == (Status.FAILED, "interrupted before its end")


# Time and interruption


def test_a_cancelled_run_touches_nothing():
    """A host whose turn has not come is not connected to."""
    cancel = threading.Event()
    cancel.set()
    ran = Ran(host(), cancel=cancel)
    ran.check_order()
    assert (ran.result.status, ran.result.error) == (Status.FAILED, "interrupted before its end")
    assert ran.connections.asked == []


def test_a_host_that_is_interrupted_kills_its_processes_and_says_so():
    """Its input is closed; what it then says of the running step is kept."""
    cancel = threading.Event()

    def obedient(channel):
        yield from saying(start(0))(channel)
        cancel.set()
        while not channel.input_ended:
            yield None
        yield end(0, {**FAILED, "error": "interrupted: the run was stopped; its processes were killed"})(channel)
        yield bye("the run was stopped")(channel)

    ran = Ran(obedient, cancel=cancel)
    ran.check_order()
    assert (ran.result.status, ran.statuses, ran.result.error) == (Status.FAILED, ["failed"], "the run was stopped")


def test_a_host_that_does_not_react_to_an_interruption_is_left():
    """The report says that nothing is known."""
    cancel = threading.Event()

    def stubborn(channel):
        yield from saying(start(0))(channel)
        cancel.set()
        yield from forever(channel)

    ran = Ran(stubborn, cancel=cancel)
    assert ran.result.error == "interrupted; the host did not confirm that its processes were killed"
    assert ran.channels[0].input_ended
    assert ran.channels[0].closed == 1


def test_time_is_shared_by_all_segments():
    """The second payload gets what is left, and a host that is late gets none."""
    target = Target(name="web1")

    def slow(channel):
        yield from saying(start(0))(channel)
        time.sleep(0.05)
        yield end(0)(channel)
        yield bye()(channel)

    ran = Ran([slow, host()], [step(0), step(1, become=True)], target=target, timeout=10)
    first, second = (channel.job["deadline"] for channel in ran.channels)
    assert second <= first - 0.05


def test_parts_are_one_host():
    """A session that runs part by part begins once, and keeps what it knows."""
    items = [step(0), step(1), step(2, handler_of=[0])]
    ran = Ran(host(CHANGED), items, parts=[[items[0]], [items[1]], [items[2]]])
    ran.check_order()
    assert ran.names == ["step 0", "step 1", "step 2"]
    assert [channel.job["changed"] for channel in ran.channels] == [[], [(0, 0)], [(0, 0)]]


def test_a_session_that_never_ran_was_not_started():
    """It is skipped, and says so; with nothing to do it is ok."""
    for items, status in (([step(0)], Status.SKIPPED), ([], Status.OK)):
        session = Session(
            HostWork(target=TARGET, items=items),
            FakeConnections({}),
            check=False,
            timeout=None,
            secrets=frozenset(),
            emit=lambda event: None,
            cancel=threading.Event(),
        )
        assert session.result().status is status


# Secrets


def test_secrets_are_masked_in_whatever_a_host_says():
    """Of the host, the run, the tasks and the users: in results, errors, names and events."""
    secrets = ["of-the-run", "of-the-host", "of-the-login", "of-the-sudo", "of-the-step", "of-the-task"]
    target = Target(
        name="web1",
        password="of-the-login",
        secrets=frozenset(["of-the-host"]),
        become=Become(password="of-the-sudo"),
    )
    text = " ".join(secrets)
    items = [
        Step(task=Mishap(how="tell", secret="of-the-task"), name=f"say {text}", id=0, position=0, become=False),
        step(1, become=Become(user="app", password="of-the-step")),
        step(2, become=False),
    ]
    result = {
        **FAILED,
        "reason": text,
        "error": text,
        "warnings": [text],
        "data": {text: [text]},
        "changes": [{"kind": "modify", "summary": text, "before": text, "after": {"a": text}}],
    }
    for script in (host(result), saying(bye(text)), saying(text.encode() + b"\n", code=1), saying(ValueError(text))):
        ran = Ran(script, items, target=target, secrets=["of-the-run"])
        said = repr(ran.result) + repr(ran.events)
        assert not [secret for secret in secrets if secret in said]
        assert "***" in said


def test_a_secret_that_is_one_of_our_words_does_no_harm():
    """A password "changed" hides text, not the status."""
    ran = Ran(host(CHANGED), secrets=["changed", "status", "error", "kind", "modify"])
    assert (ran.result.status, ran.statuses) == (Status.CHANGED, ["changed", "ok"])


def test_a_secret_is_not_cut_in_half():
    """What a host says is masked before it is shortened."""
    secret = "secret" * 20
    ran = Ran(saying((secret + "x" * 450).encode() + b"\n", code=1))
    assert "secretsecret" in ran.result.error
    ran = Ran(saying((secret + "x" * 450).encode() + b"\n", code=1), secrets=[secret])
    assert "secret" not in ran.result.error


def test_no_log_hides_everything_but_the_outcome():
    """Also of a failure."""
    told = {
        **CHANGED,
        "reason": "visible",
        "warnings": ["visible"],
        "data": {"visible": 1},
        "changes": [{"kind": "modify", "summary": "visible"}],
    }
    ran = Ran(
        host(told, {**told, "status": "failed", "error": "visible"}), [step(0, no_log=True), step(1, no_log=True)]
    )
    assert (ran.statuses, ran.result.status) == (["changed", "failed"], Status.FAILED)
    assert [result.error for result in ran.result.steps] == [None, "hidden: no_log is set"]
    assert "visible" not in repr(ran.result) + repr(ran.events)


# What cannot be sent


def test_a_task_that_cannot_be_sent_is_a_failure_with_its_words():
    """Where nobody has refused it before."""
    other = type(Note)("Other", (Mishap,), {}, name="mishap")
    ran = Ran(host(), [step(0), Step(task=other(how="fine"), id=1, position=1)])
    assert ran.result.status is Status.FAILED
    assert ran.result.error.startswith("two tasks of one name")


def test_errors_of_usage_are_not_defects():
    """They keep their words."""
    ran = Ran(ConnectionFails(UsageError("the ssh configuration is wrong")))
    assert (ran.result.status, ran.result.error) == (Status.FAILED, "the ssh configuration is wrong")


def test_an_event_handler_that_raises_something_fatal_is_not_swallowed():
    """Ctrl-C in a callback ends the run; the emitter has taken care of everything else."""
    connections = FakeConnections({"web1": fakes.host()})

    def emit(event):
        if isinstance(event, StepStarted):
            raise KeyboardInterrupt

    session = Session(
        HostWork(target=TARGET, items=[step(0)]),
        connections,
        check=False,
        timeout=None,
        secrets=frozenset(),
        emit=emit,
        cancel=threading.Event(),
    )
    with pytest.raises(KeyboardInterrupt):
        session.run()
    assert connections.channels("web1")[0].closed == 1


def test_what_a_step_says_is_passed_on_at_once_and_masked():
    """In the order in which it happens; a step that is to be hidden says nothing."""
    script = saying(
        start(0),
        raw('part 0 {"text": "it is hunter2"}'),
        raw('part 0 {"n": 1}'),
        end(0),
        start(1),
        raw("part 1 {}"),
        end(1),
        bye(),
    )
    ran = Ran(script, [step(0), step(1, no_log=True)], secrets=["hunter2"])
    assert ran.result.status is Status.OK
    told = [event for event in ran.events if isinstance(event, StepTold)]
    assert [event.message for event in told] == [{"text": "it is ***"}, {"n": 1}]
    assert {(event.host, event.step, event.task) for event in told} == {("web1", "step 0", "mishap")}
    kinds = [type(event) for event in ran.events[1:5]]
    assert kinds == [StepStarted, StepTold, StepTold, StepEnded]


@pytest.mark.parametrize("number", [0, 1])
def test_a_step_that_speaks_out_of_turn_ends_the_host(number):
    """Before its beginning, or in place of another."""
    ran = Ran(saying(*([] if number == 0 else [start(0)]), raw(f"part {number} {{}}"), end(0), bye()))
    assert ran.result.status is Status.FAILED
    assert "spoke out of turn" in ran.result.failure
