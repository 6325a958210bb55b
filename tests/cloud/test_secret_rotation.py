"""Rotation of secrets: staged, proven, put in force, taken up, confirmed; or as before. And no value is ever shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.backends import get_backend

from opslib import Fleet, Target, tasks
from opslib.cloud.aws.rotation_parameter import ParameterStore
from services.apprunner import AppRunner
from services.moto import Moto
from services.web import Answer, Web, WebCall, route
from support.arguments import Watched
from support.cloud import AWS, Ran, run

OLD = "old-value-canary-5c2f0a9b"
GIVEN = "given-value-canary-77e1d3c4"
STORES = ("secrets_manager", "parameter_store")
DAY = 86400
# Ends with 0 if it got a value, and that stands neither in its arguments nor in its environment.
PROGRAM = "import os, sys; value = sys.stdin.read(); sys.exit(not value or value in str(sys.argv) + str(os.environ))"


class Consumer(Web):
    """A service that wants a secret: `/check` a new one, `/health` the one that it has taken up."""

    def forget(self) -> None:
        self.good = True
        self.healthy = True
        self.seen: list[str] = []

    @route("GET", "/check")
    def check(self, call: WebCall) -> Any:
        self.seen.append(call.headers.get("authorization", "").removeprefix("Bearer "))
        return Answer({"you": "sent " + self.seen[-1]}, 200 if self.good else 401)

    @route("GET", "/health")
    def health(self, call: WebCall) -> Any:
        return Answer({}, 200 if self.healthy else 503)


@pytest.fixture(scope="module")
def consumers():
    with Consumer() as web:
        yield web


@pytest.fixture
def consumer(consumers: Consumer) -> Consumer:
    consumers.reset()
    return consumers


class Vault:
    """A store, seen without opslib."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.client = boto3.client("secretsmanager" if kind == STORES[0] else "ssm")

    def make(self, value: str = OLD, name: str = "jwt") -> None:
        if self.kind == STORES[0]:
            self.client.create_secret(Name=name, SecretString=value)
        else:
            self.client.put_parameter(Name=name, Value=value, Type="SecureString", KeyId="alias/own")

    def age(self, days: float = 40) -> None:
        """Let everything be older."""
        if self.kind == STORES[0]:
            secret = get_backend("secretsmanager")[AWS["account"]][AWS["region"]].secrets["jwt"]
            for version in secret.versions.values():
                version["createdate"] -= days * DAY
        else:
            for parameter in get_backend("ssm")[AWS["account"]][AWS["region"]]._parameters["jwt"]:
                parameter.last_modified_date -= timedelta(days=days)

    def value(self, stage: str = "AWSCURRENT") -> str | None:
        """Return the value in force, or at another stage; None when there is none."""
        try:
            if self.kind == STORES[0]:
                return self.client.get_secret_value(SecretId="jwt", VersionStage=stage).get("SecretString")
            names = {"AWSCURRENT": "jwt", "AWSPENDING": "jwt.opslib-pending", "AWSPREVIOUS": "jwt:previous"}
            found = self.client.get_parameter(Name=names[stage], WithDecryption=True)["Parameter"]
        except self.client.exceptions.ClientError:
            return None
        return str(found["Value"])

    @property
    def puts(self) -> str:
        return "PutSecretValue" if self.kind == STORES[0] else "PutParameter"

    @property
    def promotes(self) -> str:
        return "UpdateSecretVersionStage" if self.kind == STORES[0] else "PutParameter"


@pytest.fixture(params=STORES)
def vault(moto: Moto, request: pytest.FixtureRequest) -> Vault:
    found = Vault(request.param)
    found.make()
    found.age()
    moto.requests.clear()
    return found


def rotate(vault: Vault, consumer: Consumer, check: bool = False, **args: Any) -> Ran:
    checks = [
        {
            "task": "http_check",
            "args": {"url": f"{consumer.url}/check", "request_headers": {"Authorization": "Bearer {secret}"}},
        }
    ]
    after = [{"task": "http_check", "args": {"url": f"{consumer.url}/health"}}]
    settings = {**AWS, "secret": "jwt", "store": vault.kind, "checks": checks, "consumers": after, **args}
    done = run("secret_rotation", settings, check=check)
    shown = json.dumps([done.error, done.reason, done.changes, done.warnings, done.data, done.told])
    for value in {OLD, GIVEN, vault.value(), vault.value("AWSPENDING"), *consumer.seen}:
        assert value is None or len(value) < 8 or value not in shown
    return done


def test_check_run_and_run_again(vault: Vault, consumer: Consumer, moto: Moto) -> None:
    done = rotate(vault, consumer, check=True)
    assert (done.changed, moto.mutations, consumer.requests) == (True, [], [])
    done = rotate(vault, consumer)
    assert done.summaries == ["replace jwt, which is 40.0 days old (account 123456789012, region us-east-1)"]
    new = vault.value()
    assert new is not None
    assert (len(new), new.isalnum(), new == OLD) == (64, True, False)
    assert (vault.value("AWSPREVIOUS"), vault.value("AWSPENDING")) == (OLD, None)
    assert consumer.seen == [new]
    assert [call.operation for call in consumer.requests] == ["check", "health"]
    assert [message["progress"].split(" jwt")[0] for message in done.told] == [
        "staging a new value of",
        "proving the new value of",
        "putting the new value of",
        "letting 1 consumers take up the new value of",
    ]
    moto.requests.clear()
    done = rotate(vault, consumer)
    assert (done.status, moto.mutations, vault.value()) == ("ok", [], new)
    assert done.data["previous"] is not None


def test_a_value_that_is_not_taken_is_withdrawn(vault: Vault, consumer: Consumer) -> None:
    consumer.good = False
    done = rotate(vault, consumer)
    assert (done.status, vault.value(), vault.value("AWSPENDING")) == ("failed", OLD, None)
    assert str(done.error).startswith("the new value of jwt was withdrawn, the old one stays: http_check: ")
    assert [call.operation for call in consumer.requests] == ["check"]
    consumer.good = True
    assert rotate(vault, consumer).status == "changed"


def test_when_a_consumer_fails_the_old_value_is_in_force_again(vault: Vault, consumer: Consumer) -> None:
    rotate(vault, consumer)
    before, older = vault.value(), vault.value("AWSPREVIOUS")
    vault.age()
    consumer.requests.clear()
    consumer.fail("health", times=1, status=503)
    done = rotate(vault, consumer)
    assert (done.status, done.changed) == ("failed", True)
    assert str(done.error).startswith("jwt is as before, for the new value did not prove itself: http_check: ")
    assert (vault.value(), vault.value("AWSPENDING")) == (before, None)
    if vault.kind == STORES[0]:
        assert vault.value("AWSPREVIOUS") == older
    assert [call.operation for call in consumer.requests] == ["check", "health", "health"]


def test_a_consumer_that_fails_with_the_old_value_too(vault: Vault, consumer: Consumer) -> None:
    consumer.healthy = False
    done = rotate(vault, consumer)
    assert vault.value() == OLD
    assert "and going back failed, too: http_check" in str(done.error)


def test_a_secret_that_is_young_stays_but_for_an_incident(vault: Vault, consumer: Consumer) -> None:
    assert rotate(vault, consumer, max_age="50d").status == "ok"
    moment = "2020-01-01T00:00:00Z"
    assert rotate(vault, consumer, max_age="50d", not_before=moment).status == "ok"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    done = rotate(vault, consumer, max_age="50d", not_before=now)
    assert (done.status, vault.value() == OLD) == ("changed", False)
    assert rotate(vault, consumer, max_age="50d", not_before=now).status == "ok"


def test_a_value_that_is_given(vault: Vault, consumer: Consumer) -> None:
    assert rotate(vault, consumer, value=GIVEN, check=True).changed is True
    done = rotate(vault, consumer, value=GIVEN)
    assert (done.status, vault.value(), consumer.seen) == ("changed", GIVEN, [GIVEN])
    vault.age()
    assert rotate(vault, consumer, value=GIVEN).status == "ok"


def test_a_member_of_a_json_object(moto: Moto, consumer: Consumer) -> None:
    vault = Vault(STORES[0])
    vault.make(json.dumps({"user": "api", "password": OLD}))
    vault.age()
    assert rotate(vault, consumer, member="password").status == "changed"
    found = json.loads(vault.value() or "")
    assert (found["user"], found["password"]) == ("api", consumer.seen[0])
    vault.age()
    assert "has no member 'token' that is a text" in str(rotate(vault, consumer, member="token").error)
    assert vault.value("AWSPENDING") is None


def test_a_program_gets_it_on_standard_input(vault: Vault, consumer: Consumer, tmp_path: Path) -> None:
    good = [sys.executable, "-c", "import sys; sys.exit(len(sys.stdin.read()) != 64)"]
    assert rotate(vault, consumer, checks=[], check_command=good).status == "changed"
    vault.age()
    before = vault.value()
    bad = [sys.executable, "-c", "import sys; print(sys.stdin.read()); sys.exit(3)"]
    done = rotate(vault, consumer, check_command=bad)
    assert f"{sys.executable} ended with 3: it does not take the value" in str(done.error)
    assert vault.value() == before


def test_the_previous_value_is_let_go_after_its_grace(moto: Moto, consumer: Consumer) -> None:
    vault = Vault(STORES[0])
    vault.make()
    vault.age()
    rotate(vault, consumer)
    assert rotate(vault, consumer, grace="7d").status == "ok"
    assert vault.value("AWSPREVIOUS") == OLD
    vault.age(8)
    assert rotate(vault, consumer, grace="7d", check=True).changed is True
    done = rotate(vault, consumer, grace="7d")
    assert done.summaries == [
        "let go of the previous value of jwt, after 7 days (account 123456789012, region us-east-1)"
    ]
    assert vault.value("AWSPREVIOUS") is None
    assert rotate(vault, consumer, grace="7d").status == "ok"


# --- cut short


def cut_at(moto: Moto, vault: Vault, consumer: Consumer, point: str) -> None:
    """Let a run end, as if its process had been killed, at a point of its way."""
    settings = {**AWS, "secret": "jwt", "store": vault.kind, "checks": [], "consumers": [], "unproven": True}
    task = tasks.get("secret_rotation")(**settings)
    store: Any = task._store
    before = store.look()
    store.stage("staged-value-of-a-run-that-was-killed")
    if point == "promoted":
        store.promote(before)


@pytest.mark.parametrize("point", ["staged", "promoted"])
def test_what_was_cut_short_is_gone_on_with(vault: Vault, consumer: Consumer, moto: Moto, point: str) -> None:
    cut_at(moto, vault, consumer, point)
    done = rotate(vault, consumer, check=True)
    begins = {"staged": "go on with the rotation of jwt", "promoted": "finish the rotation of jwt"}
    assert done.summaries[0].startswith(begins[point])
    done = rotate(vault, consumer)
    assert (done.status, vault.value()) == ("changed", "staged-value-of-a-run-that-was-killed")
    assert (vault.value("AWSPREVIOUS"), vault.value("AWSPENDING")) == (OLD, None)
    assert [call.operation for call in consumer.requests] == (["check", "health"] if point == "staged" else ["health"])
    assert rotate(vault, consumer).status == "ok"


def test_what_was_cut_short_after_promotion_can_still_go_back(vault: Vault, consumer: Consumer, moto: Moto) -> None:
    cut_at(moto, vault, consumer, "promoted")
    consumer.fail("health", times=1, status=503)
    assert rotate(vault, consumer).status == "failed"
    assert (vault.value(), vault.value("AWSPENDING")) == (OLD, None)


@pytest.mark.parametrize("last", ["_label", "_put"])
def test_a_later_rotation_goes_back_by_one_wherever_it_was_cut_short(
    moto: Moto, consumer: Consumer, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    vault = Vault(STORES[1])
    vault.make()
    vault.age()
    assert rotate(vault, consumer).status == "changed"
    second, does = vault.value(), getattr(ParameterStore, last)

    def killed(store: ParameterStore, *args: Any) -> None:
        does(store, *args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ParameterStore, last, killed)
        cut_at(moto, vault, consumer, "promoted")
    consumer.fail("health", times=1, status=503)
    assert "jwt is as before" in str(rotate(vault, consumer).error)
    assert (vault.value(), vault.value("AWSPENDING")) == (second, None)


def test_a_staged_value_gives_way_to_one_that_is_given(vault: Vault, consumer: Consumer, moto: Moto) -> None:
    for point in ("staged", "promoted"):
        cut_at(moto, vault, consumer, point)
        assert rotate(vault, consumer, value=GIVEN).status == "changed"
        assert (vault.value(), vault.value("AWSPENDING")) == (GIVEN, None)


@pytest.mark.parametrize("others", [["AWSCURRENT", "AWSPENDING"], ["AWSPENDING"]], ids=["in force", "staged"])
def test_what_somebody_else_staged_is_no_rotation_of_ours(moto: Moto, consumer: Consumer, others: list[str]) -> None:
    vault = Vault(STORES[0])
    vault.make()
    vault.client.put_secret_value(SecretId="jwt", SecretString="theirs-since-months", VersionStages=others)
    before = vault.value()
    moto.requests.clear()
    consumer.healthy = False
    done = rotate(vault, consumer)
    assert (done.status, moto.mutations, vault.value()) == ("failed" if len(others) == 1 else "ok", [], before)
    assert len(others) == 2 or "was staged by somebody else" in str(done.error)
    if len(others) == 2:
        vault.age()
        assert "and going back failed, too: http_check" in str(rotate(vault, consumer).error)
        assert (vault.value(), vault.value("AWSPENDING")) == (before, None)
        consumer.healthy = True
        assert rotate(vault, consumer).status == "changed"
        labels = vault.client.describe_secret(SecretId="jwt")["VersionIdsToStages"].values()
        assert {label for each in labels for label in each} == {"AWSCURRENT", "AWSPREVIOUS"}


# --- what services do


def test_answers_that_are_lost_are_looked_for(vault: Vault, consumer: Consumer, moto: Moto) -> None:
    for operation in {vault.puts, vault.promotes, "LabelParameterVersion", "DeleteParameter"}:
        for after_effect in (True, False):
            moto.fail(operation, after_effect=after_effect)
    assert rotate(vault, consumer).status == "changed"
    assert (vault.value(), vault.value("AWSPREVIOUS"), vault.value("AWSPENDING")) == (consumer.seen[0], OLD, None)


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_waited_for(vault: Vault, consumer: Consumer, moto: Moto, times: int) -> None:
    moto.throttle(vault.puts, times)
    moto.throttle("DescribeSecret", times)
    assert rotate(vault, consumer).status == "changed"


@pytest.mark.usefixtures("unhurried")
def test_endless_throttling_leaves_the_old_value(vault: Vault, consumer: Consumer, moto: Moto) -> None:
    moto.throttle(vault.puts)
    done = rotate(vault, consumer, wait=0.5)
    assert (done.status, vault.value()) == ("failed", OLD)
    assert "Rate exceeded" in str(done.error)


def test_a_quota_that_is_used_up_is_told_at_once(moto: Moto, consumer: Consumer) -> None:
    vault = Vault(STORES[0])
    vault.make()
    vault.age()
    moto.fail("PutSecretValue", times=None, status=400, code="LimitExceededException", message="the quota is used up")
    done = rotate(vault, consumer, wait=0.3)
    assert (done.status, vault.value(), len(moto.calls("PutSecretValue"))) == ("failed", OLD, 1)
    assert "the quota is used up" in str(done.error)


def test_a_promotion_that_is_refused_leaves_the_old_value(moto: Moto, consumer: Consumer) -> None:
    vault = Vault(STORES[0])
    vault.make()
    vault.age()
    moto.fail("UpdateSecretVersionStage", status=400, code="InvalidParameterException", message="moved on")
    done = rotate(vault, consumer)
    assert "jwt is as before" in str(done.error)
    assert (vault.value(), vault.value("AWSPENDING"), vault.value("AWSPREVIOUS")) == (OLD, None, None)


@pytest.mark.parametrize("after", [5, 9, 13, 17])
def test_credentials_that_expire_on_the_way(vault: Vault, consumer: Consumer, moto: Moto, after: int) -> None:
    moto.expire_credentials(after=after)
    settings = {
        "secret": "jwt",
        "store": vault.kind,
        "consumers": [{"task": "http_check", "args": {"url": f"{consumer.url}/health"}}],
    }
    done = run("secret_rotation", {**AWS, **settings})
    moto.mend()
    assert done.status == "changed" or "renew the AWS credentials" in str(done.error)
    assert rotate(vault, consumer).status in ("ok", "changed")
    assert vault.value("AWSPENDING") is None
    assert vault.value() != OLD


def test_old_answers_are_waited_out(moto: Moto, consumer: Consumer) -> None:
    vault = Vault(STORES[0])
    vault.make()
    vault.age()
    old = vault.client.list_secret_version_ids(SecretId="jwt")
    rows = [{**row, "CreatedDate": row["CreatedDate"].timestamp(), "LastAccessedDate": 0} for row in old["Versions"]]

    def stale(_right: Any) -> None:
        if sum(call.operation == "ListSecretVersionIds" for call in moto.requests) in (3, 4, 7):
            return {"Versions": rows}
        return None

    moto.twist("ListSecretVersionIds", stale, times=None)
    assert rotate(vault, consumer).status == "changed"
    assert vault.value() == consumer.seen[0]


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        ("ListSecretVersionIds", {"Versions": [{"VersionId": 5}]}),
        (
            "ListSecretVersionIds",
            {"Versions": [{"VersionId": name, "CreatedDate": 5, "VersionStages": ["AWSCURRENT"]} for name in "ab"]},
        ),
        ("ListSecretVersionIds", {}),
        ("ListSecretVersionIds", {"Versions": [], "NextToken": "x"}),
        ("DescribeSecret", b"\xff"),
        ("GetParameter", {"Parameter": {"Name": "jwt"}}),
        ("GetParameter", {}),
    ],
)
def test_answers_that_make_no_sense(moto: Moto, consumer: Consumer, operation: str, answer: Any) -> None:
    vault = Vault(STORES[operation == "GetParameter"])
    vault.make()
    vault.age()
    moto.requests.clear()
    moto.answer(
        operation,
        json.dumps(answer) if isinstance(answer, dict) else answer,
        times=1 if operation != "ListSecretVersionIds" else 2,
    )
    done = rotate(vault, consumer)
    assert (done.status, moto.mutations) == ("failed", [])
    assert "internal error" not in str(done.error)


def test_a_service_that_repeats_the_value_in_its_error(vault: Vault, consumer: Consumer, moto: Moto) -> None:
    moto.fail(vault.puts, times=None, status=400, code="ValidationException")
    real, repeated = moto.error, []

    def speaking(call: Any, fault: Any) -> Any:
        value = call.body.get("SecretString") or call.body.get("Value")
        if value is None:
            return real(call, fault)
        repeated.append(value)
        return real(call, type(fault)(fault.status, fault.code, f"the value {value} is bad"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moto, "error", speaking)
        done = rotate(vault, consumer)
    assert "the value *** is bad" in str(done.error)
    assert len(repeated[0]) == 64


def test_what_is_not_ours_to_rotate(moto: Moto, consumer: Consumer) -> None:
    vault = Vault(STORES[0])
    assert rotate(vault, consumer).error == "there is no secret jwt in Secrets Manager"
    assert rotate(Vault(STORES[1]), consumer).error == "there is no parameter jwt in the Parameter Store"
    vault.make()
    for more, words in (
        ({"RotationEnabled": True}, "is rotated by Secrets Manager itself"),
        ({"DeletedDate": 5}, "is to be deleted"),
        ({"PrimaryRegion": "eu-west-1"}, "is a replica: rotate it in eu-west-1"),
    ):
        moto.twist("DescribeSecret", lambda body, more=more: body | more)
        assert words in str(rotate(vault, consumer).error)
    vault.client.delete_secret(SecretId="jwt", ForceDeleteWithoutRecovery=True)
    vault.client.create_secret(Name="jwt", SecretBinary=b"\1\2")
    vault.age()
    assert "holds no text at AWSCURRENT" in str(rotate(vault, consumer, value=GIVEN).error)


def test_a_parameter_keeps_its_type_and_key(moto: Moto, consumer: Consumer) -> None:
    vault = Vault(STORES[1])
    vault.make()
    vault.age()
    rotate(vault, consumer)
    [found] = vault.client.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["jwt"]}])["Parameters"]
    assert (found["Type"], found["KeyId"]) == ("SecureString", "alias/own")
    assert {call.body.get("KeyId") for call in moto.calls("PutParameter")} == {"alias/own"}


# --- canaries


@pytest.mark.parametrize("good", [True, False], ids=["kept", "taken back"])
def test_no_value_is_seen_anywhere(vault: Vault, consumer: Consumer, tmp_path: Path, good: bool) -> None:
    """Neither old nor new value stands in an argument vector, an environment, a report, an event or a file."""
    consumer.good = good
    home = tmp_path / "home"
    home.mkdir()
    headers = {"Authorization": "Bearer {secret}"}
    words = [
        f'account:="{AWS["account"]}"',
        f"region={AWS['region']}",
        "secret=jwt",
        f"store={vault.kind}",
        "poll=0.01",
        f"value=@{tmp_path}/value",
        "checks:="
        + json.dumps([{"task": "http_check", "args": {"url": f"{consumer.url}/check", "request_headers": headers}}]),
        "check_command:=" + json.dumps([sys.executable, "-c", PROGRAM]),
        "consumers:=" + json.dumps([{"task": "http_check", "args": {"url": f"{consumer.url}/health"}}]),
    ]
    (tmp_path / "value").touch(mode=0o600)
    (tmp_path / "value").write_text(GIVEN)
    command = [
        sys.executable,
        "-c",
        "import sys; from opslib.cli.main import main; sys.exit(main())",
        "task",
        "secret_rotation",
    ]
    report, junit = tmp_path / "report.json", tmp_path / "report.xml"
    command += [*words, "--diff", "-v", "--json", str(report), "--junit", str(junit)]
    environ = {**os.environ, "HOME": str(home), "TMPDIR": str(home)}
    with Watched(OLD, GIVEN) as watched:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == (0 if good else 2), done.stdout + done.stderr
    assert vault.value() == (GIVEN if good else OLD)
    assert (watched.looks > 5, watched.found) == (True, set())
    said = done.stdout + done.stderr + report.read_text() + junit.read_text()
    left = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    for value in (OLD, GIVEN):
        assert value not in said
        assert all(value.encode() not in data for data in left)


def test_events_hold_no_value(vault: Vault, consumer: Consumer) -> None:
    events: list[Any] = []
    checks = [
        {
            "task": "http_check",
            "args": {"url": f"{consumer.url}/check", "request_headers": {"Authorization": "Bearer {secret}"}},
        }
    ]
    task = tasks.secret_rotation(
        account=AWS["account"], region=AWS["region"], secret="jwt", store=vault.kind, checks=checks
    )
    with Fleet([Target(name="controller", carrier="local")], on_event=events.append) as fleet:
        report = fleet.run([task])
    [step] = report.hosts["controller"].steps
    assert step.status.value == "changed", step.error
    text = repr(events) + json.dumps(report.to_dict())
    assert "staging a new value of jwt" in text
    for value in (OLD, vault.value(), consumer.seen[0]):
        assert str(value) not in text


def test_a_service_is_started_anew_with_the_new_value(vault: Vault, consumer: Consumer, apprunner: AppRunner) -> None:
    apprunner.make("spendsense", "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:1")
    restart = {"task": "container_restart", "args": {"service": "spendsense", "poll": 0.01}}
    assert rotate(vault, consumer, consumers=[restart], check=True).changed is True
    assert apprunner.mutations == []
    done = rotate(vault, consumer, consumers=[restart])
    assert (done.status, done.error) == ("changed", None)
    assert [call.operation for call in apprunner.mutations] == ["StartDeployment"]
