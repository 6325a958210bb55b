"""Many hosts at once: bounds, policies, and what one host or one callback may not do to the rest."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.engines import session as session_module
from opslib.engines.batch import BatchEngine
from opslib.engines.emitter import Emitter
from opslib.engines.work import HostWork, KnownResult, Policy
from opslib.errors import UnreachableError
from opslib.events import HostEnded, HostStarted, StepEnded, StepStarted
from opslib.result import Status, StepResult
from opslib.step import Step
from opslib.target import Target
from support.fakes import CHANGED, FAILED, OK, ConnectionFails, FakeConnections, host, saying, start
from support.probes import Mishap

FATAL = Policy(any_errors_fatal=True)


def step(number, **more):
    """Return a step that a scripted host answers for."""
    return Step(
        task=Mishap(how="fine"), name=f"step {number}", id=number, position=more.pop("position", number), **more
    )


def skipped(name):
    """Return the result of a step that is known to be skipped."""
    return StepResult(name=name, task="mishap", status=Status.SKIPPED)


class Batch:
    """An engine over scripted hosts, and what it did."""

    def __init__(self, hosts, *, forks=50, on_event=None):
        self.events = []
        self.emit = Emitter(on_event or self.events.append)
        self.engine = BatchEngine(forks=forks, emit=self.emit)
        self.engine.connections = self.connections = FakeConnections(hosts)
        self.hosts = hosts

    def run(self, items, **more):
        """Run the same items on all hosts, or those of a mapping by host."""
        works = [
            HostWork(target=Target(name=name), items=items[name] if isinstance(items, dict) else items)
            for name in self.hosts
        ]
        self.results = self.engine.run(works, **more)
        return self.results

    def statuses(self):
        """Each host's status and those of its steps."""
        return {name: (str(r.status), [str(s.status) for s in r.steps]) for name, r in self.results.items()}

    def sent(self, name):
        """The ids of the steps that each payload to a host held."""
        return [[row["id"] for row in channel.job["steps"]] for channel in self.connections.channels(name)]


def test_no_host_is_no_result():
    """An engine with nothing to do does nothing."""
    assert BatchEngine().run([]) == {}


def test_results_are_in_the_given_order():
    """Whoever is done first."""
    names = [f"web{number}" for number in (3, 1, 2, 10)]
    batch = Batch({name: host() for name in names})
    assert list(batch.run([step(0)])) == names
    assert all(result.name == name for name, result in batch.results.items())


@pytest.mark.parametrize("lockstep", [False, True])
@pytest.mark.parametrize("forks", [1, 3])
def test_no_more_hosts_at_once_than_forks(forks, lockstep):
    """And no fewer, when there is work."""
    lock = threading.Lock()
    too_many = threading.Event()
    busy = set()
    most = []

    def script(channel):
        with lock:
            busy.add(channel)
            most.append(len(busy))
            if len(busy) > forks:
                too_many.set()
        too_many.wait(0.05)
        for piece in host()(channel):
            if piece and b" bye " in piece:  # nothing more is asked of this channel
                with lock:
                    busy.remove(channel)
            yield piece

    batch = Batch({f"web{number}": script for number in range(9)}, forks=forks)
    batch.run([step(0)], policy=FATAL if lockstep else None)
    assert max(most) == forks
    assert {result.status for result in batch.results.values()} == {Status.OK}


def test_a_hosts_time_begins_with_its_turn():
    """Waiting for others does not count; a host's own limit goes before the run's."""
    batch = Batch({"web1": host(), "web2": host()}, forks=1)
    works = [
        HostWork(target=Target(name="web1"), items=[step(0)], timeout=7),
        HostWork(target=Target(name="web2"), items=[step(0)]),
    ]
    batch.engine.run(works, timeout=100)
    first, second = (batch.connections.channels(name)[0].job["deadline"] for name in ("web1", "web2"))
    assert first <= 7
    assert 90 < second <= 100


def test_a_callback_that_raises_harms_nothing():
    """Every host ends as it would have; the report is told once."""

    def broken(_event):
        raise ValueError("no")

    batch = Batch({"web1": host(CHANGED), "web2": host(FAILED), "web3": host()}, on_event=broken)
    batch.run([step(0), step(1)])
    assert batch.statuses() == {
        "web1": ("changed", ["changed", "ok"]),
        "web2": ("failed", ["failed"]),
        "web3": ("ok", ["ok", "ok"]),
    }
    assert batch.emit.warnings == ("on_event raised ValueError: no",)


def test_a_callback_that_interrupts_ends_the_run_everywhere(monkeypatch):
    """KeyboardInterrupt is passed on, after the other hosts' work was ended."""
    monkeypatch.setattr(session_module, "_TICK", 0.01)
    ended = []

    def patient(channel):
        yield from saying(start(0))(channel)
        while not channel.input_ended:
            yield None
        ended.append(True)
        yield channel.say("end", 0, FAILED)
        yield channel.say("bye", result={"error": "the run was stopped"})

    def impatient(event):
        if isinstance(event, StepStarted) and event.host == "web2":
            raise KeyboardInterrupt

    batch = Batch({"web1": patient, "web2": host()}, on_event=impatient)
    with pytest.raises(KeyboardInterrupt):
        batch.run([step(0)])
    assert ended == [True]
    assert batch.engine.cancel.is_set()


def test_an_engine_can_run_again_over_the_same_connections():
    """Connections stay open from one run to the next."""
    batch = Batch({"web1": host()})
    for _run in range(3):
        assert batch.run([step(0)])["web1"].status is Status.OK
    assert len(batch.connections.channels("web1")) == 3


# Lockstep


def test_policies_that_need_lockstep():
    """Only those that make hosts share a fate."""
    assert not Policy().lockstep
    assert FATAL.lockstep
    assert Policy(max_fail_percentage=0).lockstep


def test_in_lockstep_no_host_is_ahead():
    """All hosts end a step before any begins the next; each step is a payload of its own."""
    batch = Batch({f"web{number}": host(CHANGED, OK, OK) for number in range(4)})
    batch.run([step(0), step(1), step(2, handler_of=[0])], policy=FATAL)
    assert all(status == ("changed", ["changed", "ok", "ok"]) for status in batch.statuses().values())
    place = {"step 0": 0, "step 1": 1, "step 2": 2}
    reached = 0
    ended = dict.fromkeys(place.values(), 0)
    for event in batch.events:
        if isinstance(event, StepStarted):
            assert place[event.step] >= reached
            reached = place[event.step]
            assert all(ended[before] == 4 for before in range(reached))
        elif isinstance(event, StepEnded):
            ended[place[event.result.name]] += 1
    assert ended == {0: 4, 1: 4, 2: 4}
    assert batch.sent("web0") == [[0], [1], [2]]


def test_any_error_is_fatal_to_all():
    """One failed or unreachable host ends the play for all, after the step that it failed in."""
    for bad in (host(OK, FAILED), ConnectionFails(UnreachableError("down"))):
        batch = Batch({"web1": host(), "bad": bad, "web3": host(CHANGED)})
        batch.run([step(0), step(1), step(2)], policy=FATAL)
        steps = 1 if isinstance(bad, ConnectionFails) else 2
        assert [len(batch.results[name].steps) for name in ("web1", "web3")] == [steps, steps]
        assert batch.results["bad"].status in (Status.FAILED, Status.UNREACHABLE)


def test_an_ignored_error_is_not_fatal():
    """Nor does it count."""
    batch = Batch({"web1": host(FAILED), "web2": host()})
    batch.run([step(0, ignore_errors=True), step(1)], policy=FATAL)
    assert batch.statuses() == {"web1": ("ok", ["failed", "ok"]), "web2": ("ok", ["ok", "ok"])}


@pytest.mark.parametrize(
    ("hosts", "bad", "limit", "goes_on"),
    [
        (4, 1, 25, True),
        (4, 1, 24.9, False),
        (4, 2, 50, True),
        (4, 2, 49, False),
        (3, 1, 33, False),
        (3, 1, 34, True),
        (2, 0, 0, True),
        (2, 1, 0, False),
        (10, 9, 90, True),
        (2, 2, 100, True),
    ],
)
def test_the_share_of_failed_hosts_has_to_be_exceeded(hosts, bad, limit, goes_on):
    """Equalled is not exceeded, as in Ansible."""
    batch = Batch({f"web{number}": host(FAILED if number < bad else OK) for number in range(hosts)})
    batch.run([step(0), step(1)], policy=Policy(max_fail_percentage=limit))
    healthy = [len(result.steps) for result in batch.results.values() if result.status is Status.OK]
    assert healthy == [2 if goes_on else 1] * (hosts - bad)
    assert sum(result.status is Status.FAILED for result in batch.results.values()) == bad


@settings(max_examples=60)
@given(
    fails=st.lists(st.sampled_from([None, 0, 1, 2]), min_size=1, max_size=7),
    limit=st.none() | st.integers(0, 100),
)
def test_lockstep_against_the_rule(fails, limit):
    """Any pattern of failures: the play ends after the first step at which too many hosts have failed."""
    hosts = {
        f"web{number}": host(*(FAILED if place == fail else OK for place in range(3)))
        for number, fail in enumerate(fails)
    }
    batch = Batch(hosts)
    batch.run([step(0), step(1), step(2)], policy=Policy(any_errors_fatal=limit is None, max_fail_percentage=limit))
    last = 2
    for place in range(3):
        failed = sum(fail is not None and fail <= place for fail in fails)
        if failed and (limit is None or 100 * failed / len(fails) > limit):
            last = place
            break
    for number, fail in enumerate(fails):
        done = last + 1 if fail is None or fail > last else fail + 1
        assert len(batch.results[f"web{number}"].steps) == done


def test_hosts_lost_before_are_of_the_batch_and_unreachable_ones_have_not_failed():
    """As Ansible counts: one of four has failed here, with one that is unreachable and one that is not even tried."""
    hosts = {"web1": host(FAILED), "away": ConnectionFails(UnreachableError("down")), "web3": host()}
    for limit, steps in ((25, 2), (24, 1)):
        batch, ended = Batch(hosts), set()
        batch.run([step(0), step(1)], policy=Policy(max_fail_percentage=limit), size=4, ended=ended)
        assert len(batch.results["web3"].steps) == steps
        assert ended == (set() if steps == 2 else set(hosts))


def test_an_unreachable_host_is_fatal_but_where_errors_are_ignored():
    """Those that end with it are named: they take no further part."""
    hosts = {"away": ConnectionFails(UnreachableError("down")), "web2": host()}
    for ignored, named in ((True, set()), (False, {"away", "web2"})):
        batch, ended = Batch(hosts), set()
        batch.run([step(0, ignore_errors=ignored), step(1)], policy=FATAL, ended=ended)
        assert len(batch.results["web2"].steps) == (2 if ignored else 1)
        assert ended == named


def test_what_is_known_beforehand_waits_for_its_turn():
    """A failure known from the start ends the play no earlier than its task does."""
    failure = KnownResult(name="no", task="assert", status=Status.FAILED, error="no", position=1)
    batch = Batch({"web1": host(), "web2": host()})
    batch.run({"web1": [failure], "web2": [step(0), step(2)]}, policy=FATAL)
    assert batch.statuses() == {"web1": ("failed", ["failed"]), "web2": ("ok", ["ok"])}


def test_skipped_steps_keep_their_places_in_lockstep():
    """Also at the beginning and the end."""
    batch = Batch({"web1": host(), "web2": host()})
    items = [skipped("a"), step(0), skipped("b"), step(1), skipped("c")]
    batch.run({"web1": items, "web2": [skipped("a"), skipped("b")]}, policy=FATAL)
    assert [result.name for result in batch.results["web1"].steps] == ["a", "step 0", "b", "step 1", "c"]
    assert batch.statuses()["web2"] == ("skipped", ["skipped", "skipped"])


def test_items_of_a_loop_are_one_step():
    """They share a position and a payload."""
    batch = Batch({"web1": host(OK, FAILED, OK)})
    batch.run([step(0, position=0), step(1, position=0), step(2, position=0), step(3, position=1)], policy=FATAL)
    assert batch.sent("web1") == [[0, 1, 2]]
    assert batch.statuses() == {"web1": ("failed", ["ok", "failed", "ok"])}


@pytest.mark.parametrize("positions", [[0, 2, 1], [5, 0], [None, None, None], [3, None, 1], [0, 1, 0]])
def test_no_step_is_lost_whatever_the_positions(positions):
    """Positions that do not only grow are odd, but no reason to leave steps out."""
    batch = Batch({"web1": host(), "web2": host()})
    items = [step(number, position=position) for number, position in enumerate(positions)]
    batch.run({"web1": items, "web2": items[:1]}, policy=FATAL)
    assert [result.name for result in batch.results["web1"].steps] == [item.name for item in items]


def test_a_host_whose_steps_come_too_late_was_not_started():
    """The play ended before its turn: it is skipped, not ok."""
    batch = Batch({"web1": host(FAILED), "web2": host()})
    batch.run({"web1": [step(0)], "web2": [step(1), step(2)]}, policy=FATAL)
    assert batch.statuses() == {"web1": ("failed", ["failed"]), "web2": ("skipped", [])}
    assert batch.results["web2"].error == "not started: the play had ended before its turn came"


def test_each_host_begins_and_ends_once_in_lockstep():
    """However many parts its work has."""
    batch = Batch({"web1": host(), "web2": host(FAILED)})
    batch.run([step(0), step(1), step(2)], policy=Policy(max_fail_percentage=90))
    begun = [event.host for event in batch.events if isinstance(event, HostStarted)]
    ended = [event.host for event in batch.events if isinstance(event, HostEnded)]
    assert (sorted(begun), sorted(ended)) == (["web1", "web2"], ["web1", "web2"])
