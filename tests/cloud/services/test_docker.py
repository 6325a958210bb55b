"""The engine and the registry are real ones; ECR, as moto has it, knows what was pushed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from services.docker import Engine, Registry, missing
from services.moto import Moto


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    if missing():
        pytest.skip(missing())
    with Engine() as running:
        yield running


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    if missing():
        pytest.skip(missing())
    with Registry("AWS", Moto.PASSWORD) as running:
        yield running


def test_an_image_is_built_and_pushed_and_ecr_knows_it(
    engine: Engine, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Moto(registry) as moto:
        moto.reset()  # all servers of moto in a process share what they hold
        for name, value in moto.environment.items():
            monkeypatch.setenv(name, value)
        ecr = boto3.client("ecr")
        address = ecr.create_repository(repositoryName="spendsense-api")["repository"]["repositoryUri"]
        assert address == f"{registry.host}/spendsense-api"
        (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY app /app\n")
        (tmp_path / "app").write_text("first")
        engine.run("build", "-t", f"{address}:v1", str(tmp_path))
        with pytest.raises(subprocess.CalledProcessError) as refused:
            engine.run("push", f"{address}:v1")
        assert "no basic auth credentials" in refused.value.stderr
        engine.run("login", "-u", "AWS", "--password-stdin", registry.host, stdin=Moto.PASSWORD)
        said = engine.run("push", f"{address}:v1")
        digest, _ = registry.manifest("spendsense-api", "v1")
        assert digest in said
        [image] = ecr.describe_images(repositoryName="spendsense-api")["imageDetails"]
        assert (image["imageDigest"], image["imageTags"]) == (digest, ["v1"])
        assert registry.tags("spendsense-api") == ["v1"]
        assert registry.tags("no-such") == []


def test_nothing_is_left_when_an_engine_has_stopped() -> None:
    if missing():
        pytest.skip(missing())
    with Engine() as engine:
        folder = engine.folder
        assert engine.run("info", "--format", "{{.Driver}}") == "vfs\n"
    assert not folder.exists()
