"""Every entry point of the roles on cloud services, through both engines, among secrets.

Each engine takes all of them in a row through check, run and run again: starting Ansible takes longer than what they do.
Meanwhile the argument vectors of this machine are watched; then all that was said and written is searched, and so is
every event that ansible-runner's artifacts held. A secret stands nowhere but where it belongs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.backends import get_backend

from opslib import Report, tasks
from opslib.cli.main import main
from opslib.engines import event_files
from opslib.engines.roles import role_folder
from services.aws_json import ACCOUNT, REGION
from services.moto import Moto
from services.supabase import REF, key
from services.vercel_cli import program
from support import exports, images
from support.arguments import Watched
from support.canaries import files_with
from support.exports import DAY
from support.firestore import DAILY, PROD, SANDBOX, backup, client, seed
from support.metrics import Metrics

ROLES = (
    *("announce", "cloudwatch", "container", "firestore", "frontend"),
    *("image", "providers", "security", "storage"),
)
# These are what test_role_container and test_role_frontend are about.
ELSEWHERE = {"container:deploy", "container:rollback", "frontend:deploy", "frontend:rollback"}
ON_AWS = ("cloudwatch", "container", "image", "security")
SERVICE = "spendsense-api"
RULES = """rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /users/{user} { allow read: if request.auth != null && request.auth.uid == user; }
  }
}
"""
LOOSE = RULES.replace(" && request.auth.uid == user", "")
OLDER = f"dpl_{2:024d}"  # the deployment before the newest
OLD, GIVEN, FIELD, LINE = (f"canary-{name}-of-cloud-roles-5e1c" for name in ("old", "new", "field", "line"))
HOOK, AWS_KEY, VARIABLE = (f"canary-{name}-of-cloud-roles-5e1c" for name in ("hook", "key", "variable"))
SUPABASE, SENTRY, VERCEL = "sbp_" + "c0ffee42" * 5, "sntrys_" + "c0ffee42" * 4, "vercel" + "c0ffee42" * 2
SECRETS = (OLD, GIVEN, FIELD, LINE, HOOK, AWS_KEY, VARIABLE, SUPABASE, SENTRY, VERCEL, key(), Moto.PASSWORD)
# Ends well if it got a value that stands neither in its arguments nor in its environment.
PROOF = "import os, sys; value = sys.stdin.read(); sys.exit(not value or value in str(sys.argv) + str(os.environ))"


@dataclass(frozen=True, slots=True)
class Case:
    """A way through an entry point: the task, how its first run ends, and the second; None when it acts each time."""

    task: str
    first: str = "ok"
    again: str | None = "ok"
    given: Mapping[str, Any] = field(default_factory=dict)


CHANGES, ACTS = {"first": "changed"}, {"first": "changed", "again": None}


def cases(name: str, given: Path, written: Path) -> dict[str, Case]:
    """Return them, in the order in which they run. name: of a repository; given, written: folders."""
    aged = {"security_secret": "aged", "security_check_command": [sys.executable, "-c", PROOF]}
    sent = {"storage_path": str(given / "dump"), "storage_object": "manual/dump"}
    kept = {"security_secret": "given", "security_store": "parameter_store", "security_value": GIVEN}
    return {
        "image:repository": Case("ecr_repository", **CHANGES, given={"image_repository": "made", "image_create": True}),
        "image:push": Case("image_push", **CHANGES, given={"image_repository": name, "image_tag": "v1"}),
        "image:list": Case("ecr_images"),
        "image:prune": Case("ecr_prune", **CHANGES),
        "firestore:operations": Case("firestore_operations"),
        "firestore:backups": Case("gcs_backups"),
        "firestore:usage": Case("firestore_usage"),
        "firestore:backup": Case("firestore_export", **CHANGES),
        "firestore:lifecycle": Case("gcs_lifecycle", **CHANGES),
        "firestore:prune": Case("gcs_prune", **CHANGES, given={"firestore_bucket": "aged"}),
        "firestore:document": Case("firestore_document", **CHANGES),
        "firestore:latency": Case("firestore_latency", **ACTS),
        "firestore:rules": Case("firestore_rules", **CHANGES),
        "firestore:import": Case("firestore_import", **CHANGES, given={"firestore_project": SANDBOX["project"]}),
        "firestore:drill": Case("firestore_drill", **CHANGES),
        "firestore:restore": Case("firestore_restore", **CHANGES),
        "storage:upload": Case("gcs_upload", **CHANGES, given=sent),
        "storage:download": Case("gcs_download", **CHANGES, given={"storage_path": str(written / "file")}),
        "cloudwatch:logs": Case("cloudwatch_logs"),
        "cloudwatch:slo": Case("slo"),
        "cloudwatch:alarms": Case("cloudwatch_alarms", **CHANGES),
        "cloudwatch:dashboard": Case("cloudwatch_dashboard", **CHANGES),
        "cloudwatch:chart": Case("cloudwatch_metrics", **ACTS),
        "security:review": Case("iam_review"),
        "security:rotate": Case("secret_rotation", **CHANGES, given=aged),
        "security:rotate to a value": Case("secret_rotation", **CHANGES, given=kept),
        "providers:status": Case("provider_status"),
        "providers:errors": Case("sentry_errors"),
        "providers:supabase": Case("supabase_status"),
        "providers:backups": Case("supabase_backups"),
        "announce:message": Case("notify", **ACTS),
        "container:status": Case("container_status"),
        "container:environment": Case("container_env", **CHANGES),
        "container:scale": Case("container_scale", **CHANGES),
        "container:autoscaling": Case("container_autoscaling", **CHANGES),
        "container:restart": Case("container_restart", **ACTS),
        "container:pause": Case("container_state", **CHANGES),
        "container:resume": Case("container_state", **CHANGES, given={"container_service": "resting"}),
        "frontend:status": Case("vercel_status"),
        "frontend:deployments": Case("vercel_deployments"),
        "frontend:logs": Case("vercel_logs"),
        "frontend:environment": Case("vercel_env", **CHANGES),
        "frontend:promote": Case("vercel_promote", **CHANGES, given={"frontend_deployment": OLDER}),
    }


class World:
    """All the services, each with something to do; what is on this machine lies below a folder."""

    def __init__(self, folder: Path, name: str, **services: Any) -> None:
        self.name = name
        self.services = services
        self.given, self.out, self.home, self.written = (folder / n for n in ("given", "out", "home", "written"))
        for each in (self.given, self.out, self.home, self.written):
            each.mkdir(mode=0o700)
        services["management"].token, services["sentry"].token, services["vercel"].token = SUPABASE, SENTRY, VERCEL
        self._aws()
        self._google()
        source = self.given / "source"
        source.mkdir()
        (source / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
            line = ["git", "-C", str(source), "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
            subprocess.run(line, check=True, capture_output=True)
        (self.given / "dump").write_bytes(b"rows")
        self.forget()

    def _aws(self) -> None:
        image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{SERVICE}:v1"
        service = self.services["apprunner"].make(SERVICE, image)
        self.services["apprunner"].make("spare", image)
        self.services["apprunner"].make("resting", image).status = "PAUSED"
        self.secrets, self.parameters = boto3.client("secretsmanager"), boto3.client("ssm")
        boto3.client("iam").create_user(UserName="ann")
        boto3.client("ecr").create_repository(repositoryName=self.name)
        self.ecr = images.Ecr("old")
        for age in (50, 40, 30, 20):
            self.ecr.push(f"v{age}", age=age * DAY)
        self.secrets.create_secret(Name="aged", SecretString=OLD)
        for version in get_backend("secretsmanager")[ACCOUNT][REGION].secrets["aged"].versions.values():
            version["createdate"] -= 40 * DAY
        self.parameters.put_parameter(Name="given", Value=OLD, Type="SecureString")
        for version in get_backend("ssm")[ACCOUNT][REGION]._parameters["given"]:
            version.last_modified_date -= timedelta(days=40)
        logs, group = boto3.client("logs"), f"/aws/apprunner/{SERVICE}/{service.id}/application"
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="one")
        event = {"timestamp": int(time.time() * 1000) - 5000, "message": f"ERROR refused password={LINE}"}
        logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=[event])
        metrics = Metrics(SERVICE, service.id)
        for metric in ("Requests", "RequestLatency", "CPUUtilization", "MemoryUtilization"):
            metrics.put(metric, [10] * 3)

    def _google(self) -> None:
        google = seed(self.services["google"])
        backup(google)
        google.rules.deploy(PROD["project"], RULES)
        for bucket in ("aged", "files"):
            google.gcs.make_bucket(bucket)
        for age in (10, 40, 50):
            exports.put(google.gcs, "aged", f"daily/{age}", age=age * DAY)
        google.gcs.put("files", "manual/file", b"rows", age=DAY)
        client().document("recommendations/rec_001").update({"status": "spoilt"})

    @property
    def mutations(self) -> list[str]:
        """What reached any of the services and may change something."""
        calls = [call for service in self.services.values() for call in service.mutations]
        return [call.operation for call in calls]

    def forget(self) -> None:
        """Forget what was asked so far."""
        for service in self.services.values():
            (service.forget_requests if service is self.services["google"] else service.requests.clear)()

    def rotated(self) -> tuple[str, str]:
        """Return the secrets that are in force, as boto3 sees them."""
        aged = self.secrets.get_secret_value(SecretId="aged", VersionStage="AWSCURRENT")["SecretString"]
        return aged, self.parameters.get_parameter(Name="given", WithDecryption=True)["Parameter"]["Value"]

    def inventory(self) -> str:
        """Write the inventory, and return its path."""
        amazon = {"account": ACCOUNT, "region": REGION}
        variables = {
            **{f"{role}_poll": 0.01 for role in ROLES},
            **{f"{role}_{name}": value for role in ON_AWS for name, value in amazon.items()},
            "ansible_host": "192.0.2.1",  # nothing listens there, and nobody is to try
            "announce_title": "Deployment",
            "announce_channels": {"hook": f"json://{self.services['receiver'].address}/hook/{HOOK}"},
            "cloudwatch_alarms": {},
            "cloudwatch_chart": str(self.written / "chart.html"),
            "cloudwatch_dashboard": "shop",
            "cloudwatch_groups": [SERVICE],
            "cloudwatch_metric": "RequestLatency",
            "cloudwatch_prefix": "shop-",
            "cloudwatch_service": SERVICE,
            "container_cpu": 2,
            "container_http": {"url": "/health", "wait": 0},
            "container_max_size": 6,
            "container_memory": "4G",
            "container_min_size": 2,
            "container_service": "spare",
            "container_variables": {"PASSWORD": VARIABLE},
            "firestore_account": ACCOUNT,
            "firestore_backup": DAILY,
            "firestore_bucket": "spendsense-backups",
            "firestore_create": True,
            "firestore_delete_after": "30d",
            "firestore_destination": "gs://spendsense-backups/manual/one",
            "firestore_drill_keep": True,
            "firestore_every": "1d",
            "firestore_hidden": True,
            "firestore_keep_last": 1,
            "firestore_path": "settings/api",
            "firestore_prefix": "daily/",
            "firestore_production": [PROD["project"]],
            "firestore_project": PROD["project"],
            "firestore_read_limit": "1m",
            "firestore_region": REGION,
            "firestore_rules_mode": "deploy",
            "firestore_safety": "gs://spendsense-backups/safety/one",
            "firestore_sandbox": SANDBOX["project"],
            "firestore_service": SERVICE,
            "firestore_set": {"token": FIELD},
            "firestore_snapshot": "none",
            "firestore_source": LOOSE,
            "firestore_write_limit": "1m",
            "frontend_api": self.services["vercel"].url,
            "frontend_contains": "served by",
            "frontend_program": program(),
            "frontend_project": "dashboard",
            "frontend_set": {"API_KEY": VARIABLE},
            "frontend_team": "acme",
            "frontend_token": VERCEL,
            "frontend_url": self.services["pages"].url + "/",
            "image_deployed": [],
            "image_folder": str(self.given / "source"),
            "image_keep_last": 2,
            "image_repository": "old",
            "providers_cache": str(self.out / "pages"),
            "providers_organisation": "acme",
            "providers_pages": {"acme": self.services["statuspage"].url},
            "providers_projects": ["dashboard-api"],
            "providers_providers": ["acme"],
            "providers_ref": REF,
            "providers_sentry_api": self.services["sentry"].url,
            "providers_sentry_token": SENTRY,
            "providers_service_key": key(),
            "providers_supabase_api": self.services["management"].url,
            "providers_supabase_token": SUPABASE,
            "providers_table": "cost_records",
            "providers_url": self.services["project"].url,
            "security_fail_on": "never",
            "security_last_accessed": 0,
            "security_unproven": True,
            "storage_bucket": "files",
            "storage_object": "manual/file",
            "storage_project": PROD["project"],
        }
        path = self.given / "hosts.yml"
        path.write_text(json.dumps({"all": {"hosts": {"spendsense": variables}}}))
        return str(path)


class Operator:
    """Runs the cases from the command line, and keeps what was said: to people, and by Ansible to ansible-runner."""

    def __init__(self, world: World, engine: str, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.engine, self.capsys = world, engine, capsys
        self.inventory = world.inventory()
        self.said = ""
        self.events: list[bytes] = []
        monkeypatch.setenv("HOME", str(world.home))
        for name in ("TMPDIR", "XDG_RUNTIME_DIR"):
            monkeypatch.setenv(name, str(world.out))
        monkeypatch.setattr(tempfile, "tempdir", None)
        read = event_files._read

        def kept(path: Path) -> Any:
            self.events += [path.read_bytes()] if path.exists() else []
            return read(path)

        monkeypatch.setattr(event_files, "_read", kept)

    def run(self, wanted: Mapping[str, Case], *, check: bool = False) -> list[tuple[str, str]]:
        """Run entry points in a row; return each task with how it ended."""
        play = {
            "name": "All",
            "hosts": "all",
            "gather_facts": False,
            "tasks": [_call(*each) for each in wanted.items()],
        }
        book, report = self.world.given / "all.yml", self.world.out / "report.json"
        book.write_text(json.dumps([play]))
        report.unlink(missing_ok=True)
        line = ["run", str(book), "-i", self.inventory, "--engine", self.engine, "--diff", "-v", "--timeout", "200"]
        line += ["--json", str(report), "--junit", str(self.world.out / "report.xml"), *(["--check"] if check else [])]
        code = main(line)
        self.said += "".join(self.capsys.readouterr())
        found = Report.from_dict(json.loads(report.read_text()))
        host = found.hosts["spendsense"]
        assert host.failure is None, host.failure
        assert (code, found.engine) == (0, self.engine)
        ours = [step for step in host.steps if step.task in tasks.names()]
        return [(step.task, str(step.status)) for step in ours]


def _call(name: str, case: Case) -> dict[str, Any]:
    role, _, entry = name.partition(" ")[0].partition(":")
    call = {"name": f"opslib.runbook.{role}", "tasks_from": entry}
    return {"name": f"Do {entry}", "ansible.builtin.import_role": call, "vars": dict(case.given)}


@pytest.fixture(params=["ssh", "ansible"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(
    amazon: Any,
    image_registry: Any,
    apprunner: Any,
    google: Any,
    management: Any,
    project: Any,
    sentry: Any,
    statuspage: Any,
    receiver: Any,
    vercel: Any,
    vercel_site: Any,
    engine: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AWS_KEY)
    services = {"amazon": amazon, "registry": image_registry, "apprunner": apprunner, "google": google}
    services |= {"management": management, "project": project, "sentry": sentry, "statuspage": statuspage}
    services |= {"receiver": receiver, "vercel": vercel, "pages": vercel_site}
    return World(tmp_path, f"through-{engine}", **services)


def test_all_of_them(world: World, engine: str, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    every = cases(world.name, world.given, world.written)
    acting = {name: case for name, case in every.items() if case.first == "changed"}
    states = {name: case for name, case in acting.items() if case.again is not None}
    operator, began = Operator(world, engine, capsys, monkeypatch), time.time()
    with Watched() as watched:
        assert operator.run(every, check=True) == [(case.task, case.first) for case in every.values()]
        assert (world.mutations, list(world.written.iterdir())) == ([], [])
        assert operator.run(acting) == [(case.task, "changed") for case in acting.values()]
        verify(world)
        world.forget()
        assert operator.run(states) == [(case.task, "ok") for case in states.values()]
        assert world.mutations == []
    words = [*SECRETS, *world.rotated()]
    assert watched.looks > 20
    assert watched.holding(*words) == set()
    assert bool(operator.events) is (engine == "ansible")
    assert "hook: told" in operator.said  # on the way, too, it is told how far things are
    said = [operator.said.encode(), *operator.events]
    assert [word for word in words if any(word.encode() in text for text in said)] == []
    assert files_with(words, [world.home, world.out, world.written, Path("/dev/shm"), Path("/run")], began) == []


def verify(world: World) -> None:
    """See by the services' own clients that everything was done."""
    google, watch = world.services["google"], boto3.client("cloudwatch")
    repositories = boto3.client("ecr").describe_repositories(repositoryNames=["made"])["repositories"]
    assert repositories[0]["imageTagMutability"] == "MUTABLE"
    assert world.services["registry"].tags(world.name) == ["v1"]
    assert world.ecr.left() == ["v20", "v30"]
    names = google.gcs.names("spendsense-backups")
    for folder in ("manual/one", "safety/one"):
        assert f"{folder}/one.overall_export_metadata" in names
    assert google.gcs.store.buckets["spendsense-backups"]["lifecycle"]["rule"][0]["condition"]["age"] == 30
    assert {name.split("/")[1] for name in google.gcs.names("aged")} == {"10"}
    assert client().document("settings/api").get().to_dict() == {"token": FIELD}
    assert google.emulator.allowed(f"/v1/projects/{PROD['project']}/databases/(default)/documents/users/u1", user="u2")
    for database in ("(default)", "opslib-drill"):
        assert client(SANDBOX["project"], database).document("users/u3").get().to_dict() == {"n": 3}
    assert client().document("recommendations/rec_001").get().to_dict()["status"] == "wrong"
    assert google.gcs.content("files", "manual/dump") == (world.written / "file").read_bytes() == b"rows"
    verify_services(world.services["apprunner"], world.services["vercel"])
    assert "shop" in [each["DashboardName"] for each in watch.list_dashboards()["DashboardEntries"]]
    assert "shop-latency" in [each["AlarmName"] for each in watch.describe_alarms()["MetricAlarms"]]
    assert "RequestLatency" in (world.written / "chart.html").read_text()
    aged, given = world.rotated()
    assert (len(aged), aged != OLD, given) == (64, True, GIVEN)
    assert [HOOK in call.path for call in world.services["receiver"].calls("hook")] == [True]


def verify_services(apprunner: Any, vercel: Any) -> None:
    assert [call.operation for call in apprunner.mutations] == [
        *("PauseService", "ResumeService"),  # for the restore
        *("UpdateService", "UpdateService", "CreateAutoScalingConfiguration", "UpdateService"),
        *("StartDeployment", "PauseService", "ResumeService"),
    ]
    states = {name: apprunner.named(name).status for name in (SERVICE, "spare", "resting")}
    assert states == {SERVICE: "RUNNING", "spare": "PAUSED", "resting": "RUNNING"}
    config = apprunner.named("spare").config
    assert (config["InstanceConfiguration"]["Cpu"], config["InstanceConfiguration"]["Memory"]) == ("2048", "4096")
    assert apprunner.scalings.find(config["AutoScalingConfigurationArn"]).most == 6
    image = config["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"]
    assert image["RuntimeEnvironmentVariables"] == {"PASSWORD": VARIABLE}
    assert (vercel.values(), vercel.production) == ({"API_KEY": VARIABLE}, OLDER)


def test_none_is_left_out(tmp_path: Path) -> None:
    files = {f"{role}:{path.stem}" for role in ROLES for path in (role_folder(role) / "tasks").glob("*.yml")}
    known = {name.partition(" ")[0] for name in cases("", tmp_path, tmp_path)}
    assert known | ELSEWHERE == {name for name in files if not name.endswith(":main")}
