"""What every task on a container service does the same: look first, act once, follow to the end, and bear with the rest.

Each test goes over all acts of all tasks on both platforms.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from support.clock import Clock, clock
from support.containers import ACTS, NAME, Act, Service

pytestmark = pytest.mark.parametrize("act", ACTS, ids=str)


@pytest.fixture
def service(act: Act, request: pytest.FixtureRequest, moto: Any) -> Service:
    """The service, as it is to be before the act."""
    made = Service(request.getfixturevalue(act.platform))
    act.before(made)
    made.fake.requests.clear()
    return made


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return clock(monkeypatch)


def test_check_touches_nothing_and_a_second_run_changes_nothing(act: Act, service: Service) -> None:
    planned = act.run(service, check=True)
    assert (planned.status, planned.error, service.writes, act.done(service)) == ("changed", None, [], False)
    assert "account 123456789012, region us-east-1" in planned.summaries[-1]

    ran = act.run(service)
    assert (ran.status, ran.error) == ("changed", None)
    assert act.done(service)
    assert ran.changes == planned.changes
    assert service.writes.count(act.write) == 1
    assert " is SUCCE" in ran.told[-1]["progress"]

    service.fake.requests.clear()
    again = act.run(service, check=act.repeats)
    assert (again.status, service.writes) == ("changed" if act.repeats else "ok", [])
    assert "canary" not in repr([planned, ran, again])


def test_it_bears_with_throttling_pages_and_reads_that_lag(act: Act, service: Service) -> None:
    begun = service.begun
    for operation, times in ((service.describe, 1), (service.list, 10), (act.write, 10), ("TagResource", 1)):
        service.fake.throttle(operation, times)
    service.fake.lag = service.fake.late = 3
    service.fake.page_size = 1
    ran = act.run(service, poll=0.001)
    assert (ran.status, ran.error) == ("changed", None)
    assert act.done(service)
    assert service.begun == begun + 1


def test_throttling_without_end_ends_with_the_deadline(act: Act, service: Service, later: Clock) -> None:
    service.fake.throttle(act.write)
    real = service.fake.error

    def error(call: Any, fault: Any) -> Any:
        later.forward(70)
        return real(call, fault)

    with mock.patch.object(service.fake, "error", error):
        ran = act.run(service)
    assert ran.status == "failed"
    assert "Rate exceeded" in str(ran.error)
    assert not act.done(service)


def test_a_busy_service_is_waited_for(act: Act, service: Service) -> None:
    service.fake.looks = 3
    service.fake.somebody(NAME, image=service.fake.image(NAME))
    ran = act.run(service)
    assert (ran.status, ran.error) == ("changed", None)
    assert any("is busy" in each["progress"] for each in ran.told)


def test_a_service_that_stays_busy_ends_the_wait(act: Act, service: Service, later: Clock) -> None:
    service.fake.stuck = True
    service.fake.somebody(NAME, image=service.fake.image(NAME))
    service.fake.twist(service.list, lambda body: later.forward(70), times=None)
    ran = act.run(service)
    assert (ran.status, service.writes) == ("failed", [])
    assert f"waiting for {NAME} to be free: not done after 200 seconds; it may still go on" in str(ran.error)
    assert "is PENDING" in str(ran.error)


def test_an_operation_that_is_stuck_ends_with_the_deadline(act: Act, service: Service, later: Clock) -> None:
    service.fake.stuck = True
    service.fake.twist(act.write, lambda body: later.forward(300))
    ran = act.run(service)
    assert ran.status == "failed"
    assert "following operation" in str(ran.error)
    assert "it may still go on" in str(ran.error)
    assert service.writes.count(act.write) == 1
    service.fake.stuck = False
    assert act.run(service).status == ("changed" if act.repeats else "ok")


@pytest.mark.parametrize("how", ["fail", "drop"])
def test_a_lost_answer_is_looked_after_and_never_sent_again(act: Act, service: Service, how: str) -> None:
    begun = service.begun
    getattr(service.fake, how)(act.write, after_effect=True)
    ran = act.run(service)
    assert (ran.status, ran.error) == ("changed", None)
    assert act.done(service)
    assert (service.writes.count(act.write), service.begun) == (1, begun + 1)
    assert any("the answer was lost" in each["progress"] for each in ran.told)


def test_what_was_lost_without_effect_is_sent_again_only_if_it_asks_for_a_state(act: Act, service: Service) -> None:
    service.fake.fail(act.write)
    ran = act.run(service, poll=0.001)
    if act.task == "container_state":
        assert (ran.status, ran.error, act.done(service)) == ("changed", None, True)
        assert service.writes.count(act.write) == 2
        return
    assert ran.status == "failed"
    assert "no sign that it took effect" in str(ran.error)
    assert service.writes.count(act.write) == 1
    assert not act.done(service)
    assert act.run(service).status == "changed"
    assert act.done(service)


def test_what_the_platform_rolls_back_is_a_failure(act: Act, service: Service) -> None:
    fails = act.args.get("state")
    if fails == "paused":
        service.fake.types_that_fail = {"PAUSE_SERVICE"}
    else:
        service.fake.images_that_fail = {service.v1, service.v2}
    ran = act.run(service)
    assert (ran.status, ran.changed) == ("failed", True)
    assert ("ended FAILED" if fails else "rolled it back by itself") in str(ran.error)
    assert not act.done(service) or act.repeats
    service.fake.images_that_fail = service.fake.types_that_fail = set()
    assert act.run(service).status == "changed"


def test_credentials_that_expire_while_it_waits(act: Act, service: Service) -> None:
    service.fake.looks = 10**6
    service.fake.twist(act.write, lambda body: service.fake.expire_credentials(after=3))
    ran = act.run(service)
    assert ran.status == "failed"
    assert "is under way and no longer watched" in str(ran.error)
    assert "renew the AWS credentials" in str(ran.error)
    service.fake.mend()
    service.fake.looks = 1
    assert act.run(service).status == ("changed" if act.repeats else "ok")


def test_a_state_that_nobody_knows_stops_it(act: Act, service: Service) -> None:
    service.twist_status("HALF_DONE")
    ran = act.run(service)
    assert (ran.status, service.writes) == ("failed", [])
    assert "'HALF_DONE' is not known to this version of opslib" in str(ran.error)


def test_an_answer_to_a_write_that_makes_no_sense_stops_it(act: Act, service: Service) -> None:
    service.fake.answer(act.write, {"OperationId": 4, "service": {"targetConfiguration": []}})
    ran = act.run(service)
    assert ran.status == "failed"
    assert "internal error" not in str(ran.error)
    assert service.writes.count(act.write) == 1


def test_credentials_of_another_account_stop_it_before_anything(act: Act, service: Service) -> None:
    ran = act.run(service, account="999999999999")
    assert "belong to account 123456789012, not to 999999999999" in str(ran.error)
    assert service.fake.requests == []


def test_a_service_by_its_arn_and_one_that_is_not_there(act: Act, service: Service) -> None:
    assert act.run(service, service=service.made.arn, check=True).status == "changed"
    ran = act.run(service, service="no-such-api")
    assert "there is no" in str(ran.error)
    assert "no-such-api" in str(ran.error)
    assert service.writes == []
