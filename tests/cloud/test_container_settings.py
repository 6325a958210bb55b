"""Environment, size, scaling, pause and status of container services, where they are not alike."""

from __future__ import annotations

from typing import Any

import pytest

from opslib import Fleet, Target, tasks
from services.aws_json import AwsError
from support.cloud import AWS
from support.containers import NAME, SECRET, Service


@pytest.fixture(params=["apprunner", "ecs"])
def service(request: pytest.FixtureRequest, moto: Any) -> Service:
    return Service(request.getfixturevalue(request.param))


@pytest.fixture
def on_app_runner(moto: Any, apprunner: Any) -> Service:
    return Service(apprunner)


@pytest.fixture
def on_ecs(moto: Any, ecs: Any) -> Service:
    return Service(ecs)


# --- the environment


def test_a_name_is_a_value_or_a_secret_and_never_both(service: Service) -> None:
    ran = service.run("container_env", variables={"OPENAI_API_KEY": "here"}, secrets_from={"PASSWORD": SECRET})
    assert (ran.status, ran.error) == ("changed", None)
    assert service.environment == ({"LOG_LEVEL": "info", "OPENAI_API_KEY": "here"}, {"PASSWORD": SECRET})
    assert "set OPENAI_API_KEY (in place of the secret), set PASSWORD from a secret (in place of the value)" in str(
        ran.summaries
    )


def test_what_is_so_already_is_left_alone(service: Service) -> None:
    ran = service.run(
        "container_env", variables={"LOG_LEVEL": "info"}, secrets_from={"OPENAI_API_KEY": SECRET}, unset=["NO_SUCH"]
    )
    assert (ran.status, service.writes) == ("ok", [])


def test_what_somebody_else_has_set_since_the_look_is_kept(on_app_runner: Service, monkeypatch: Any) -> None:
    fake, looks = on_app_runner.fake, []
    real = fake.do_DescribeService

    def describe(body: Any) -> Any:
        looks.append(body)
        if len(looks) == 2:
            on_app_runner.environment[0]["THEIRS"] = "1"
        return real(body)

    monkeypatch.setattr(fake, "do_DescribeService", describe)
    assert on_app_runner.run("container_env", variables={"OURS": "2"}).status == "changed"
    assert on_app_runner.environment[0] == {"LOG_LEVEL": "info", "PASSWORD": "old-canary", "THEIRS": "1", "OURS": "2"}


def test_the_environment_of_a_paused_service_is_set_and_it_stays_paused(on_app_runner: Service) -> None:
    on_app_runner.run("container_state", state="paused")
    ran = on_app_runner.run("container_env", variables={"A": "1"})
    assert (ran.status, ran.error) == ("changed", None)
    assert on_app_runner.run("container_status").data["status"] == "paused"
    assert on_app_runner.serving is None


def test_values_are_told_nowhere(on_app_runner: Service) -> None:
    events: list[Any] = []
    task = tasks.container_env(
        **{**AWS, "wait": 200}, service=NAME, variables={"TOKEN": "new-canary"}, unset=["LOG_LEVEL"]
    )
    with Fleet([Target(name="controller", carrier="local")], on_event=events.append) as fleet:
        report = fleet.run([task])
    report.raise_for_failures()
    assert on_app_runner.environment[0] == {"PASSWORD": "old-canary", "TOKEN": "new-canary"}
    assert "canary" not in repr(report.to_dict())
    assert "canary" not in repr(events)
    assert any("UPDATE_SERVICE" in repr(event) for event in events)


@pytest.mark.parametrize(
    ("task", "args"),
    [("container_env", {"variables": {"A": "1"}}), ("container_deploy", {"image": "spendsense-api:v2"})],
)
def test_a_request_that_the_service_repeats_in_its_refusal_is_told_without_values(
    service: Service, task: str, args: dict[str, Any]
) -> None:
    said = "Value '{LOG_LEVEL=info, PASSWORD=old-canary}' failed to satisfy a constraint"
    service.fake.fail(service.update, status=400, code="InvalidParameterException", message=said)
    ran = service.run(task, **args)
    assert "Value '{LOG_LEVEL=***, PASSWORD=***}' failed" in str(ran.error)
    assert "canary" not in repr(ran)


# --- size


def test_the_role_of_instances_stays(on_app_runner: Service) -> None:
    role = "arn:aws:iam::123456789012:role/spendsense-api-instance"
    on_app_runner.made.config["InstanceConfiguration"]["InstanceRoleArn"] = role
    ran = on_app_runner.run("container_scale", cpu="2 vCPU", memory="4 GB")
    assert (ran.changes[0]["before"], ran.changes[0]["after"]) == ("1 vCPU, 2 GB", "2 vCPU, 4 GB")
    assert on_app_runner.made.config["InstanceConfiguration"]["InstanceRoleArn"] == role
    [update] = on_app_runner.fake.calls("UpdateService")
    assert update.body["InstanceConfiguration"] == {"Cpu": "2048", "Memory": "4096", "InstanceRoleArn": role}


# --- scaling


def settings(service: Service) -> list[tuple[str, int, int, int, int]]:
    return [
        (each.name, each.revision, each.least, each.most, each.most_requests)
        for each in service.fake.scalings.all
        if each.name != "DefaultConfiguration"
    ]


def test_a_revision_with_the_same_settings_is_used_again(on_app_runner: Service) -> None:
    for most in (5, 6, 5):
        ran = on_app_runner.run("container_autoscaling", min_size=1, max_size=most, concurrency=80)
        assert (ran.status, ran.error) == ("changed", None)
    assert settings(on_app_runner) == [(NAME, 1, 1, 5, 80), (NAME, 2, 1, 6, 80)]
    assert on_app_runner.run("container_status").data["scaling"]["revision"] == 1


def test_a_configuration_of_another_name(on_app_runner: Service) -> None:
    on_app_runner.run("container_autoscaling", min_size=1, max_size=5, configuration="shared")
    assert settings(on_app_runner) == [("shared", 1, 1, 5, 100)]
    ran = on_app_runner.run("container_autoscaling", min_size=1, max_size=5, configuration="shared")
    assert ran.status == "ok"


@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_to_a_new_revision(on_app_runner: Service, effect: bool) -> None:
    on_app_runner.fake.fail("CreateAutoScalingConfiguration", after_effect=effect)
    ran = on_app_runner.run("container_autoscaling", min_size=1, max_size=5, poll=0.001)
    assert ran.status == ("changed" if effect else "failed")
    assert on_app_runner.writes.count("CreateAutoScalingConfiguration") == 1
    assert on_app_runner.run("container_autoscaling", min_size=1, max_size=5).status == ("ok" if effect else "changed")
    assert len(settings(on_app_runner)) == 1


@pytest.mark.parametrize("lost", [True, False])
def test_ecs_may_scale_without_a_deployment(on_ecs: Service, lost: bool) -> None:
    on_ecs.fake.scaling_deploys = False
    if lost:
        on_ecs.fake.fail("UpdateExpressGatewayService", after_effect=True)
    ran = on_ecs.run(
        "container_autoscaling",
        min_size=2,
        max_size=8,
        metric="REQUEST_COUNT_PER_TARGET",
        target=200,
        poll=0.001,
    )
    assert (ran.status, ran.error, on_ecs.begun) == ("changed", None, 0)
    assert on_ecs.made.active.config["scalingTarget"] == {
        "minTaskCount": 2,
        "maxTaskCount": 8,
        "autoScalingMetric": "REQUEST_COUNT_PER_TARGET",
        "autoScalingTargetValue": 200,
    }
    assert on_ecs.writes == ["UpdateExpressGatewayService"]


# --- pause


def test_somebody_else_was_quicker_with_the_pause(on_app_runner: Service) -> None:
    service = on_app_runner
    service.fake.lag = 2  # the first look does not show it
    service.fake.somebody(NAME, "PAUSE_SERVICE")
    ran = service.run("container_state", state="paused")
    assert (ran.error, service.writes, service.serving) == (None, [], None)


def test_what_somebody_else_began_is_not_taken_for_a_restart_whose_answer_was_lost(
    on_app_runner: Service, monkeypatch: Any
) -> None:
    def lost(body: Any) -> Any:
        on_app_runner.fake.somebody(NAME)
        raise AwsError("InternalServiceErrorException", "lost", 500)

    monkeypatch.setattr(on_app_runner.fake, "do_StartDeployment", lost)
    ran = on_app_runner.run("container_restart", poll=0.001)
    assert "no sign that it took effect" in str(ran.error)


def test_a_deployment_that_the_service_replaced_is_a_failure(on_ecs: Service) -> None:
    on_ecs.fake.twist("UpdateExpressGatewayService", lambda body: on_ecs.fake.somebody(NAME, image=on_ecs.v3) and None)
    ran = on_ecs.run("container_deploy", image="spendsense-api:v2")
    assert "ended STOPPED: replaced by another deployment" in str(ran.error)


# --- status


def test_status_tells_all_and_changes_nothing(service: Service) -> None:
    service.run("container_deploy", image="spendsense-api:v2")
    service.fake.requests.clear()
    ran = service.run("container_status", http="/health")
    assert (ran.status, ran.changed, ran.warnings, service.writes) == ("ok", False, [], [])
    assert ran.data["image"] == service.v2
    assert ran.data["previous_image"] == service.v1
    assert ran.data["variables"] == ["LOG_LEVEL", "PASSWORD"]
    assert ran.data["secrets"] == ["OPENAI_API_KEY"]
    assert (ran.data["cpu_units"], ran.data["memory_mb"]) == (1024, 2048)
    assert ran.data["scaling"]["min_size"] == 1
    assert len(ran.data["operations"]) == 2
    assert ran.data["http"]["status"] == 200
    assert ran.data["busy"] is False
    assert "canary" not in repr(ran)


def test_status_does_not_wait_for_a_busy_service(service: Service) -> None:
    service.fake.stuck = True
    service.fake.somebody(NAME, image=service.v2)
    ran = service.run("container_status")
    assert (ran.status, ran.data["busy"], ran.data["status"]) == ("ok", True, "busy")


def test_status_warns_of_a_deployment_that_was_rolled_back(service: Service) -> None:
    service.fake.images_that_fail = {service.v2}
    service.run("container_deploy", image="spendsense-api:v2")
    ran = service.run("container_status")
    assert ran.status == "ok"
    assert "ended ROLLBACK_SUCC" in ran.warnings[0]


def test_status_fails_where_the_address_does_not_answer(service: Service) -> None:
    assert service.fake.site is not None
    service.fake.site.sick = {service.v1}
    ran = service.run("container_status", http={"url": "/health", "wait": 0})
    assert ran.status == "failed"
    assert "503" in str(ran.error)


def test_status_warns_of_a_pause(on_app_runner: Service) -> None:
    on_app_runner.run("container_state", state="paused")
    ran = on_app_runner.run("container_status", http="/health")
    assert (ran.status, ran.warnings) == ("ok", [f"{NAME} is paused; it answers nobody"])


def test_a_service_that_was_never_good(on_app_runner: Service) -> None:
    on_app_runner.made.status = "CREATE_FAILED"
    assert "is CREATE_FAILED" in str(on_app_runner.run("container_status").error)
    ran = on_app_runner.run("container_deploy", image="spendsense-api:v2")
    assert ("is CREATE_FAILED; it cannot be changed" in str(ran.error), on_app_runner.writes) == (True, [])


def test_a_service_that_is_being_deleted(on_ecs: Service) -> None:
    on_ecs.made.status = "DRAINING"
    assert "is DRAINING; it cannot be changed" in str(on_ecs.run("container_scale", cpu=2, memory="4G").error)


def test_a_service_built_from_code(on_app_runner: Service) -> None:
    code = {"RepositoryUrl": "https://github.com/a/b", "SourceCodeVersion": {"Type": "BRANCH", "Value": "main"}}
    on_app_runner.made.config["SourceConfiguration"] = {"CodeRepository": code}
    for task, args in (
        ("container_deploy", {"image": "spendsense-api:v2"}),
        ("container_env", {"variables": {"A": "1"}}),
    ):
        assert "built from a code repository" in str(on_app_runner.run(task, **args).error)
    assert on_app_runner.run("container_scale", cpu=2, memory="4G").status == "changed"
