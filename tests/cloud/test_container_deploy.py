"""Images are deployed to container services and taken back, on App Runner and on ECS Express Mode."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from support.clock import clock
from support.containers import NAME, Service


@pytest.fixture(params=["apprunner", "ecs"])
def service(request: pytest.FixtureRequest, moto: Any) -> Service:
    return Service(request.getfixturevalue(request.param))


@pytest.fixture
def on_app_runner(moto: Any, apprunner: Any) -> Service:
    return Service(apprunner)


def test_check_then_deploy_then_nothing_to_do_then_back(service: Service) -> None:
    planned = service.run("container_deploy", image="spendsense-api:v2", check=True)
    assert (planned.status, service.writes) == ("changed", [])
    assert planned.changes[-1]["before"] == service.v1
    assert planned.changes[-1]["after"] == service.v2
    assert "account 123456789012, region us-east-1" in planned.summaries[-1]

    done = service.run("container_deploy", image="spendsense-api:v2")
    assert (done.status, done.error) == ("changed", None)
    assert done.changes == planned.changes
    assert service.serving == service.v2
    assert service.writes == ["TagResource", service.update]
    assert (done.data["previous_image"], done.data["http"]["status"]) == (service.v1, 200)
    assert done.told[-1]["progress"].startswith("deploying spendsense-api:v2")
    assert " is SUCCE" in done.told[-1]["progress"]

    again = service.run("container_deploy", image="spendsense-api:v2")
    assert (again.status, again.changes) == ("ok", [])

    service.fake.requests.clear()
    assert service.run("container_rollback", check=True).status == "changed"
    assert service.writes == []
    back = service.run("container_rollback")
    assert (back.status, back.error, service.serving) == ("changed", None, service.v1)
    assert service.writes == [service.update]
    again = service.run("container_rollback")
    assert (again.status, service.writes) == ("ok", [service.update])
    assert "nothing to take back" in again.reason


def test_all_else_of_the_configuration_stays(service: Service) -> None:
    before = service.environment
    assert service.run("container_deploy", image="spendsense-api:v2").status == "changed"
    assert service.environment == before
    if service.on_app_runner:
        source = service.made.config["SourceConfiguration"]
        assert source["AuthenticationConfiguration"]["AccessRoleArn"].endswith("AppRunnerECRAccessRole")
        assert source["ImageRepository"]["ImageConfiguration"]["Port"] == "8000"
    else:
        assert service.made.active.config["primaryContainer"]["containerPort"] == 8000


def test_a_deployment_that_the_platform_rolled_back_is_a_failure(service: Service) -> None:
    service.fake.images_that_fail = {service.v2}
    ran = service.run("container_deploy", image="spendsense-api:v2")
    assert ran.status == "failed"
    assert ran.error is not None
    assert "rolled it back by itself" in ran.error
    assert "ROLLBACK_SUCC" in ran.data["operation"]["status"]
    assert service.serving == service.v1
    assert service.run("container_rollback").reason.startswith("nothing to take back")
    service.fake.images_that_fail = set()
    assert service.run("container_deploy", image="spendsense-api:v2").status == "changed"
    assert service.run("container_rollback").status == "changed"
    assert service.serving == service.v1


def test_a_rollback_that_failed_is_told_as_such(service: Service) -> None:
    service.fake.images_that_fail = {service.v2}
    service.fake.rollback_fails = True
    ran = service.run("container_deploy", image="spendsense-api:v2")
    assert ran.error is not None
    assert "that failed, too" in ran.error


def test_an_image_that_does_not_answer_is_a_failure_also_the_second_time(service: Service) -> None:
    assert service.fake.site is not None
    service.fake.site.sick = {service.v2}
    ran = service.run("container_deploy", image="spendsense-api:v2")
    assert (ran.status, ran.changed) == ("failed", True)
    assert ran.error is not None
    assert "503" in ran.error
    assert "container_rollback" in ran.error
    again = service.run("container_deploy", image="spendsense-api:v2")
    assert (again.status, again.changed) == ("failed", False)
    assert again.error is not None
    assert "but" in again.error and "503" in again.error
    assert service.run("container_rollback").status == "changed"
    assert service.serving == service.v1


def test_two_deployments_and_one_step_back(service: Service) -> None:
    for tag in ("v2", "v3"):
        assert service.run("container_deploy", image=f"spendsense-api:{tag}").status == "changed"
    assert service.run("container_rollback").status == "changed"
    assert service.serving == service.v2


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("spendsense-api:v9", "there is no image spendsense-api:v9"),
        ("other:v1", "there is no repository other"),
        ("spendsense-api@sha256:" + "0" * 64, "there is no image"),
        ("docker.io/library/nginx:1", "cannot be proven"),
    ],
)
def test_an_image_must_exist(service: Service, image: str, words: str) -> None:
    ran = service.run("container_deploy", image=image)
    assert (ran.status, service.writes) == ("failed", [])
    assert ran.error is not None
    assert words in ran.error


@pytest.mark.parametrize("status", ["ARCHIVED", "ACTIVATING"])
def test_an_image_must_not_be_archived(on_app_runner: Service, moto: Any, status: str) -> None:
    moto.twist("DescribeImages", lambda body: body["imageDetails"][0].update(imageStatus=status))
    ran = on_app_runner.run("container_deploy", image="spendsense-api:v2")
    assert (ran.status, on_app_runner.writes) == ("failed", [])
    assert f"'{status}'; restore it there first" in str(ran.error)


def test_a_tag_and_a_digest_must_belong_together(on_app_runner: Service) -> None:
    digest = on_app_runner.v3.partition("@")[2]
    ran = on_app_runner.run("container_deploy", image=f"spendsense-api:v2@{digest}")
    assert ran.error is not None
    assert "not of the digest beside it" in ran.error


def test_no_way_back_without_a_record_or_without_the_image(service: Service) -> None:
    ran = service.run("container_rollback")
    assert ran.error is not None
    assert "no deployment was recorded" in ran.error
    service.run("container_deploy", image="spendsense-api:v2")
    digest = service.v1.partition("@")[2]
    boto3.client("ecr").batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": digest}])
    ran = service.run("container_rollback")
    assert ran.error is not None
    assert "there is no way back" in ran.error
    assert service.serving == service.v2


def test_no_way_back_from_what_somebody_else_deployed(service: Service) -> None:
    service.run("container_deploy", image="spendsense-api:v2")
    service.fake.somebody(NAME, image=service.v3)
    ran = service.run("container_rollback")
    assert ran.error is not None
    assert "was not deployed by opslib" in ran.error
    assert service.serving == service.v3


def test_what_went_on_after_the_deadline_can_be_taken_back(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.fake.stuck = True
    later = clock(monkeypatch)
    service.fake.twist(service.update, lambda body: later.forward(300))
    assert service.run("container_deploy", image="spendsense-api:v2").status == "failed"
    service.fake.stuck = False
    assert service.run("container_deploy", image="spendsense-api:v2").status == "ok"
    assert service.run("container_rollback").status == "changed"


def test_a_lost_answer_to_what_was_rolled_back_is_a_failure(service: Service) -> None:
    service.fake.fail(service.update, after_effect=True)
    service.fake.images_that_fail = {service.v2}
    ran = service.run("container_deploy", image="spendsense-api:v2")
    assert ran.error is not None
    assert "rolled it back" in ran.error


def test_a_lost_answer_is_not_mistaken_for_what_somebody_else_began(service: Service) -> None:
    service.fake.fail(service.update)
    service.fake.twist("TagResource", lambda body: service.fake.somebody(NAME, image=service.v3) and None)
    service.fake.lag = 0
    ran = service.run("container_deploy", image="spendsense-api:v2", poll=0.001)
    assert ran.status == "failed"
    assert service.serving == service.v3


@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_to_the_record(service: Service, effect: bool) -> None:
    service.fake.fail("TagResource", after_effect=effect)
    ran = service.run("container_deploy", image="spendsense-api:v2", poll=0.001)
    assert ran.status == ("changed" if effect else "failed")
    assert service.writes.count("TagResource") == 1
    assert service.serving == (service.v2 if effect else service.v1)


def test_a_deployment_that_is_refused_leaves_the_way_back(service: Service) -> None:
    assert service.run("container_deploy", image="spendsense-api:v2").status == "changed"
    service.fake.fail(service.update, status=400, code="AccessDeniedException", message="not authorized")
    assert "not authorized" in str(service.run("container_deploy", image="spendsense-api:v3").error)
    assert service.run("container_rollback").status == "changed"
    assert service.serving == service.v1


def test_what_somebody_else_deployed_meanwhile_is_not_overwritten(service: Service) -> None:
    def act(body: Any) -> None:
        service.fake.somebody(NAME, image=service.v3)

    service.fake.twist("TagResource", act)
    ran = service.run("container_deploy", image="spendsense-api:v2")
    assert ran.error is not None
    assert "changed by somebody else" in ran.error
    assert service.serving == service.v3


def test_a_refusal_for_being_busy_is_waited_out(on_app_runner: Service) -> None:
    service = on_app_runner
    service.fake.lag, service.fake.looks = 3, 4  # reads do not show yet what somebody has begun
    service.fake.twist("TagResource", lambda body: service.fake.somebody(NAME) and None)
    ran = service.run("container_deploy", image="spendsense-api:v2")
    assert (ran.status, ran.error, service.serving) == ("changed", None, service.v2)
    assert service.writes.count("UpdateService") >= 2
    assert service.begun == 2


def test_a_paused_service_is_not_deployed_to(on_app_runner: Service) -> None:
    assert on_app_runner.run("container_state", state="paused").status == "changed"
    on_app_runner.fake.requests.clear()
    ran = on_app_runner.run("container_deploy", image="spendsense-api:v2")
    assert (ran.status, on_app_runner.writes) == ("failed", [])
    assert ran.error is not None
    assert "is paused" in ran.error


def test_an_image_by_its_tag_is_warned_of(on_app_runner: Service) -> None:
    tagged = on_app_runner.v1.partition("@")[0] + ":v1"
    on_app_runner.made.config["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"] = tagged
    ran = on_app_runner.run("container_deploy", image="spendsense-api:v2", check=True)
    assert "by its tag" in ran.warnings[0]
    assert on_app_runner.run("container_deploy", image="spendsense-api:v2").status == "changed"
    assert on_app_runner.run("container_rollback").status == "changed"
    assert on_app_runner.serving == tagged
