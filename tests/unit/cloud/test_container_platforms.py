"""What App Runner and ECS answer is taken apart with care, whatever it is."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.cloud.aws.container.app_runner import AppRunner
from opslib.cloud.aws.container.ecs_express import EcsExpress
from opslib.cloud.aws.container.platform import Platform
from opslib.cloud.aws.container.state import Phase, Status
from opslib.cloud.errors import MalformedError, ServiceError

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
SCALING = {
    "AutoScalingConfigurationArn": "arn:scaling",
    "AutoScalingConfigurationName": "api",
    "AutoScalingConfigurationRevision": 1,
}
APP_RUNNER = {
    "Service": {
        "ServiceName": "api",
        "ServiceArn": "arn:api",
        "ServiceUrl": "x.us-east-1.awsapprunner.com",
        "Status": "RUNNING",
        "InstanceConfiguration": {"Cpu": "1024", "Memory": "2048"},
        "SourceConfiguration": {
            "ImageRepository": {
                "ImageIdentifier": "host.example/api:v1",
                "ImageRepositoryType": "ECR",
                "ImageConfiguration": {"RuntimeEnvironmentVariables": {"A": "1"}, "Port": "8000"},
            }
        },
        "AutoScalingConfigurationSummary": SCALING,
    }
}
OPERATION = {"Id": "1", "Type": "UPDATE_SERVICE", "Status": "SUCCEEDED", "StartedAt": NOW}
ECS = {
    "service": {
        "serviceName": "api",
        "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/default/api",
        "status": {"statusCode": "ACTIVE"},
        "activeConfigurations": [
            {
                "serviceRevisionArn": "arn:revision/1",
                "cpu": "1024",
                "memory": "2048",
                "primaryContainer": {"image": "host.example/api:v1", "environment": [{"name": "A", "value": "1"}]},
                "scalingTarget": {"minTaskCount": 1, "maxTaskCount": 20},
                "ingressPaths": [{"accessType": "PUBLIC", "endpoint": "api.ecs.us-east-1.on.aws"}],
                "createdAt": NOW,
            }
        ],
    }
}
DEPLOYMENT = {
    "serviceDeploymentArn": "arn:deployment/1",
    "targetServiceRevisionArn": "arn:revision/1",
    "status": "SUCCESSFUL",
    "createdAt": NOW,
}


class Task:
    """Answers with what a test says, without any library of AWS."""

    account, region = "123456789012", "us-east-1"

    def __init__(self, answer: Any, listing: list[Any]) -> None:
        self.answer, self.listing = answer, listing

    def client(self, service: str, region: str | None = None) -> Any:
        return SimpleNamespace(meta=SimpleNamespace(partition="aws"))

    def ask(self, call: Any, *, doing: str) -> Any:
        return self.answer

    def pages(self, *args: Any, **more: Any) -> Iterator[Any]:
        yield from self.listing


def platform(kind: type[Platform], answer: Any, listing: list[Any]) -> Platform:
    return kind(Task(answer, listing), "arn:aws:ecs:us-east-1:123456789012:service/default/api")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "answer", "url"),
    [
        (AppRunner, APP_RUNNER, "https://x.us-east-1.awsapprunner.com"),
        (EcsExpress, ECS, "https://api.ecs.us-east-1.on.aws"),
    ],
)
def test_a_service_is_understood(kind: type[Platform], answer: Any, url: str) -> None:
    state = platform(kind, answer, [DEPLOYMENT]).describe()
    assert (state.status, state.image, state.url) == (Status.RUNNING, "host.example/api:v1", url)
    assert (state.size.cpu, state.size.memory, dict(state.variables)) == (1024, 2048, {"A": "1"})
    assert "'1'" not in repr(state).partition("secrets=")[0].partition("variables")[2]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("RUNNING", Status.RUNNING),
        ("PAUSED", Status.PAUSED),
        ("OPERATION_IN_PROGRESS", Status.BUSY),
        ("DELETED", Status.GONE),
    ],
)
def test_states_of_app_runner(word: str, status: Status) -> None:
    answer = copy.deepcopy(APP_RUNNER)
    answer["Service"]["Status"] = word
    assert platform(AppRunner, answer, []).describe().status is status


def test_what_serves_on_ecs_is_the_target_of_the_last_good_deployment() -> None:
    answer: Any = copy.deepcopy(ECS)
    newer = copy.deepcopy(answer["service"]["activeConfigurations"][0])
    newer.update(serviceRevisionArn="arn:revision/2", createdAt=NOW + dt.timedelta(days=1))
    newer["primaryContainer"]["image"] = "host.example/api:v2"
    answer["service"]["activeConfigurations"].append(newer)
    failed = {**DEPLOYMENT, "targetServiceRevisionArn": "arn:revision/2", "status": "ROLLBACK_SUCCESSFUL"}
    assert platform(EcsExpress, answer, [failed, DEPLOYMENT]).describe().image == "host.example/api:v1"
    good = {**failed, "status": "SUCCESSFUL"}
    assert platform(EcsExpress, answer, [good, DEPLOYMENT]).describe().image == "host.example/api:v2"


@pytest.mark.parametrize(("kind", "item"), [(AppRunner, OPERATION), (EcsExpress, DEPLOYMENT)])
def test_operations_are_understood(kind: type[Platform], item: Any) -> None:
    [found] = platform(kind, {}, [item]).operations()
    assert (found.id, found.phase, found.began) == ("1", Phase.SUCCEEDED, NOW.timestamp())


@pytest.mark.parametrize(("kind", "name"), [(AppRunner, "Status"), (EcsExpress, "status")])
@pytest.mark.parametrize("word", ["", "HALF_DONE", "succeeded", None, 7, ["SUCCEEDED"], "SUCCEEDED\x1b[31m"])
def test_a_state_that_nobody_knows_is_told(kind: type[Platform], name: str, word: Any) -> None:
    item: Any = OPERATION if kind is AppRunner else DEPLOYMENT
    with pytest.raises(MalformedError) as error:
        list(platform(kind, {}, [{**item, name: word}]).operations())
    assert str(error.value).isprintable()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("x" * 100000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where something could stand instead."""
    yield at
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(each, (*at, key))


def spoiled(answer: Any, place: tuple[Any, ...], wrong: Any) -> Any:
    """Return an answer with something else in one place."""
    if not place:
        return wrong
    made = copy.deepcopy(answer)
    inner = made
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = wrong
    return made


@pytest.mark.parametrize(("kind", "answer"), [(AppRunner, APP_RUNNER), (EcsExpress, ECS)])
@given(data=st.data())
def test_no_answer_ends_in_anything_but_a_clear_error(kind: type[Platform], answer: Any, data: Any) -> None:
    wrong = spoiled(answer, data.draw(st.sampled_from(list(places(answer)))), data.draw(ANYTHING))
    try:
        state = platform(kind, wrong, [DEPLOYMENT]).describe()
    except ServiceError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 500
    else:
        assert (state.name + state.arn + state.image + state.url).isprintable()


@pytest.mark.parametrize(("kind", "item"), [(AppRunner, OPERATION), (EcsExpress, DEPLOYMENT)])
@given(data=st.data())
def test_no_listing_ends_in_anything_but_a_clear_error(kind: type[Platform], item: Any, data: Any) -> None:
    wrong = spoiled(item, data.draw(st.sampled_from(list(places(item)))), data.draw(ANYTHING))
    try:
        list(platform(kind, {}, [wrong]).operations())
    except ServiceError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 500
