"""The services that cloud tasks talk to in tests: each is started once, and is as new for every test."""

from __future__ import annotations

import os
from unittest import mock

import pytest
from botocore.session import Session

from services import docker, vercel_model
from services.apprunner import AppRunner, Site
from services.ecs_express import EcsExpress
from services.gcs import Gcs
from services.google_cloud import GoogleCloud
from services.moto import Moto
from services.postgres import Cluster
from services.receivers import Mail, Receiver
from services.registry_front import RegistryFront
from services.sentry import Sentry
from services.statuspage import Statuspage
from services.supabase import Management, PostgREST, Project
from services.vercel import Site as VercelSite
from services.vercel import Vercel


@pytest.fixture(scope="session", autouse=True)
def clients_of_aws():
    """Make each client of boto3 once for the same environment: to make one takes longer than most tests."""
    real, made = Session.create_client, {}

    def create_client(self, *args, config=None, **more):
        environment = sorted((key, value) for key, value in os.environ.items() if key.startswith("AWS_"))
        options = config and config._user_provided_options
        key = repr((args, sorted(more.items()), options, environment, self.profile))
        if key not in made:
            made[key] = real(self, *args, config=config, **more)
        return made[key]

    with mock.patch.object(Session, "create_client", create_client):
        yield


@pytest.fixture
def unhurried(monkeypatch):
    """Let a task whose time is up listen to the last answer for longer than a second, on a busy machine."""
    monkeypatch.setattr("opslib.cloud.patience._LEAST", 60.0)


def served(kind):
    """Return a fixture that yields a service, reset before each test."""

    @pytest.fixture(scope="session")
    def running():
        with kind() as service:
            yield service

    return running


def behind_a_site(kind):
    """Return such a fixture of a container service, whose services are all one web site."""

    @pytest.fixture(scope="session")
    def running():
        with Site() as site, kind(site) as service:
            yield service

    return running


moto_server = served(Moto)
apprunner_server = behind_a_site(AppRunner)
gcs_server = served(Gcs)
ecs_server = behind_a_site(EcsExpress)
vercel_server = served(Vercel)
management_server = served(Management)
sentry_server = served(Sentry)
statuspage_server = served(Statuspage)
receiver_server = served(Receiver)


def known(service, monkeypatch):
    """Return a service at its beginning, to which the environment leads."""
    service.reset()
    for name, value in getattr(service, "environment", {}).items():
        monkeypatch.setenv(name, value)
    return service


@pytest.fixture
def moto(moto_server, monkeypatch):
    return known(moto_server, monkeypatch)


@pytest.fixture
def apprunner(apprunner_server, monkeypatch):
    yield known(apprunner_server, monkeypatch)
    assert not apprunner_server.wrong


@pytest.fixture
def gcs(gcs_server, monkeypatch):
    monkeypatch.setenv("OPSLIB_GCP_ANONYMOUS", "1")
    return known(gcs_server, monkeypatch)


@pytest.fixture
def ecs(ecs_server, monkeypatch):
    yield known(ecs_server, monkeypatch)
    assert not ecs_server.wrong


@pytest.fixture
def vercel(vercel_server, monkeypatch):
    return known(vercel_server, monkeypatch)


@pytest.fixture(scope="module")
def modelled():
    """Collect exchanges with Vercel; in the end they are held against its published models."""
    seen = []
    yield seen
    assert vercel_model.problems(seen) == []


@pytest.fixture(scope="session")
def vercel_pages(vercel_server):
    with VercelSite(vercel_server) as pages:
        yield pages


@pytest.fixture
def vercel_site(vercel_pages, monkeypatch):
    return known(vercel_pages, monkeypatch)


@pytest.fixture
def management(management_server, monkeypatch):
    return known(management_server, monkeypatch)


@pytest.fixture
def sentry(sentry_server, monkeypatch):
    return known(sentry_server, monkeypatch)


@pytest.fixture
def statuspage(statuspage_server, monkeypatch):
    return known(statuspage_server, monkeypatch)


@pytest.fixture
def receiver(receiver_server, monkeypatch):
    return known(receiver_server, monkeypatch)


@pytest.fixture(scope="session")
def supabase_project():
    with Cluster() as cluster, PostgREST(cluster) as rest, Project(rest) as project:
        yield project


@pytest.fixture
def project(supabase_project, monkeypatch):
    return known(supabase_project, monkeypatch)


@pytest.fixture
def mail():
    with Mail() as server:
        yield server


@pytest.fixture(scope="session")
def docker_engine():
    if docker.missing():
        pytest.skip(docker.missing())
    with docker.Engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def image_registry(docker_engine):
    """A real registry, and what stands before it."""
    with docker.Registry("AWS", Moto.PASSWORD) as registry, RegistryFront(registry) as front:
        yield front


@pytest.fixture(scope="session")
def amazon_with_images(image_registry):
    with Moto(image_registry) as service:
        yield service


@pytest.fixture
def amazon(amazon_with_images, image_registry, docker_engine, monkeypatch):
    """AWS, in whose ECR is what was pushed to the registry; that forgets nothing, so names must be new."""
    image_registry.reset()
    for name, value in docker_engine.environment.items():
        monkeypatch.setenv(name, value)
    return known(amazon_with_images, monkeypatch)


@pytest.fixture(scope="session")
def google_services():
    cloud = GoogleCloud()
    try:
        cloud.start()
    except RuntimeError as error:  # what is missing is said, and fails in CI
        pytest.skip(str(error))
    yield cloud
    cloud.stop()


@pytest.fixture
def google(google_services, monkeypatch):
    return known(google_services, monkeypatch)
