"""Images are built from commits and pushed by a real engine to a real registry, and no login is left anywhere."""

from __future__ import annotations

import base64
import gc
import io
import json
import os
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import boto3
import pytest
from werkzeug.wrappers import Response

from opslib import tasks
from opslib.cloud.images.names import Address
from opslib.cloud.images.registry import Login, Registry
from opslib.cloud.patience import Patience
from opslib.fleet import Fleet
from opslib.target import Target
from services.aws_json import REGION
from services.moto import Moto
from services.registry_front import RegistryFront
from support.canaries import files_with
from support.cloud import AWS, run, timeouts

PASSWORD = Moto.PASSWORD
REVISION = "org.opencontainers.image.revision"


@pytest.fixture
def engine(docker_engine):
    return docker_engine


@pytest.fixture
def front(image_registry):
    return image_registry


@pytest.fixture
def moto(amazon):
    """ECR, whose images are at the registry."""
    return amazon


NAMES = iter(f"api-{number}" for number in range(1000))


@pytest.fixture
def name(moto):
    """A new repository of ECR; the registry behind it forgets nothing."""
    name = next(NAMES)
    boto3.client("ecr", region_name=REGION).create_repository(repositoryName=name)
    moto.requests.clear()
    return name


def git(folder, *words):
    line = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def source(tmp_path):
    """A repository with an application in a folder of it."""
    folder = tmp_path / "source"
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "Dockerfile").write_text("FROM scratch\nARG WHO=nobody\nLABEL who=$WHO\nCOPY . /app/\n")
    (folder / "api" / "run").write_text("#!/bin/sh\n")
    (folder / "api" / "run").chmod(0o755)
    git(folder, "init", "-q")
    commit(folder, "first")
    return folder / "api"


def commit(folder, text):
    (folder / "api" / "text").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", text)
    return git(folder, "rev-parse", "HEAD")


def head(source):
    return git(source, "rev-parse", "HEAD")


def ecr(name, source, **more):
    return {**AWS, "wait": 250, "repository": name, "folder": str(source), **more}


def labels(front, name, tag):
    """Return the labels of what is at the registry, read without our code."""
    _digest, manifest = front.manifest(name, tag)
    blob = front.registry._ask(f"/v2/{name}/blobs/{json.loads(manifest)['config']['digest']}")[0]
    return json.loads(blob)["config"]["Labels"]


@pytest.fixture(scope="module")
def built(docker_engine):
    """An image that the engine has: built once, pushed often."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("hello")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    line = ["docker", "import", "-", "built:1"]
    subprocess.run(
        line, input=archive.getvalue(), env={**os.environ, **docker_engine.environment}, check=True, capture_output=True
    )
    return "built:1"


def ready(name, built, **more):
    return {**AWS, "wait": 250, "repository": name, "image": built, "tag": "v1", **more}


# what it does


def test_a_commit_is_built_pushed_and_not_pushed_again(moto, front, name, source):
    (source / "leftover").write_text("never committed")
    old = os.umask(0o077)
    try:
        ran = run("image_push", ecr(name, source), check=True)
        assert (ran.status, moto.mutations, front.mutations) == ("changed", [], [])
        ran = run("image_push", ecr(name, source))
    finally:
        os.umask(old)
    tag = head(source)[:12]
    assert (ran.status, ran.error, front.tags(name)) == ("changed", None, [tag])
    digest, _manifest = front.manifest(name, tag)
    assert (ran.data["digest"], ran.data["reference"]) == (digest, f"{front.host}/{name}@{digest}")
    assert ran.summaries[0].startswith(
        f"build commit {tag} of {source} and push it as {front.host}/{name}:{tag} (account"
    )
    assert labels(front, name, tag)[REVISION] == head(source)
    assert ran.warnings == [f"not committed in {source}: 1 file; the image is built without"]
    assert any("Step" in told["progress"] for told in ran.told)
    front.requests.clear()
    ran = run("image_push", ecr(name, source))
    assert (ran.status, front.mutations, ran.data["digest"]) == ("ok", [], digest)
    assert ran.reason == f"{front.host}/{name}:{tag} is there, with {digest[:19]}"
    assert modes_in(front, name, tag) == {"app/run": 0o755, "app/text": 0o644, "app/Dockerfile": 0o644, "app": 0o755}


def modes_in(front, name, tag):
    """Return what is in an image's layers, with modes."""
    found = {}
    for layer in json.loads(front.manifest(name, tag)[1])["layers"]:
        blob = front.registry._ask(f"/v2/{name}/blobs/{layer['digest']}")[0]
        with tarfile.open(fileobj=io.BytesIO(blob)) as tar:
            found.update({each.name.strip("/"): each.mode & 0o7777 for each in tar})
    return found


def test_another_commit_under_the_same_tag_is_refused_unless_told(moto, front, name, source):
    assert run("image_push", ecr(name, source, tag="live", arguments={"WHO": "me and you"})).status == "changed"
    first = head(source)
    assert labels(front, name, "live")["who"] == "me and you"
    assert "is another image, of commit" in run("image_push", ecr(name, source, tag="live")).error
    commit(source.parent, "second")
    ran = run("image_push", ecr(name, source, tag="live"))
    assert ran.error == (
        f"{front.host}/{name}:live is another image, of commit {first[:12]}; push under another tag, or set overwrite"
    )
    before, _manifest = front.manifest(name, "live")
    ran = run("image_push", ecr(name, source, tag="live", overwrite=True))
    assert (ran.status, ran.changes[0]["kind"], ran.changes[0]["before"]) == ("changed", "modify", before)
    assert labels(front, name, "live")[REVISION] == head(source)
    ran = run("image_push", ecr(name, source, tag="first", commit=first))
    assert (ran.status, labels(front, name, "first")[REVISION]) == ("changed", first)


def test_an_image_that_is_built_is_pushed_once(moto, front, name, built, monkeypatch):
    assert run("image_push", ready(name, built), check=True).status == "changed"
    assert front.tags(name) == []
    ran = run("image_push", ready(name, built))
    assert (ran.status, ran.error, front.tags(name)) == ("changed", None, ["v1"])
    front.requests.clear()
    seen = timeouts(monkeypatch)
    assert (run("image_push", ready(name, built)).status, front.mutations) == ("ok", [])
    assert 0 < max(seen) <= 250


def test_other_registries_take_a_login_or_what_docker_login_left(moto, front, engine, built):
    name = next(NAMES)
    args = {"repository": f"{front.host}/{name}", "image": built, "tag": "v1", "wait": 250, "poll": 0.005}
    ran = run("image_push", args)
    assert (ran.status, "401" in ran.error) == ("failed", True)
    ran = run("image_push", {**args, "username": "AWS", "password": PASSWORD})
    assert (ran.status, front.tags(name), moto.requests) == ("changed", ["v1"], [])
    assert PASSWORD not in repr(ran)
    folder = Path(engine.environment["DOCKER_CONFIG"])
    engine.run("login", "--username", "AWS", "--password-stdin", front.host, stdin=PASSWORD)
    try:
        assert run("image_push", args).status == "ok"
        assert run("image_push", {**args, "tag": "v2"}).status == "changed"
    finally:
        (folder / "config.json").unlink()


def test_a_registry_that_wants_tokens_gets_them(moto, front, built):
    name = next(NAMES)
    with RegistryFront(front.registry, bearer=True) as strict:
        args = {"repository": f"{strict.host}/{name}", "image": built, "tag": "v1", "wait": 250, "poll": 0.005}
        login = {"username": "AWS", "password": PASSWORD}
        assert run("image_push", {**args, **login}).status == "changed"
        assert run("image_push", {**args, **login}).status == "ok"
        assert run("image_push", {**args, "username": "AWS", "password": "wrong"}).status == "failed"


# the login is nowhere


class Watch:
    """Notes the argument vectors of all processes."""

    def __init__(self):
        self.seen = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        while not self._over.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    self.seen.add(Path("/proc", pid, "cmdline").read_bytes())
                except OSError:
                    continue
            time.sleep(0.002)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def test_the_login_is_in_no_argument_no_file_and_no_report(moto, front, name, source, engine, tmp_path, monkeypatch):
    began = time.time() - 1
    for variable in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    words = [PASSWORD, base64.b64encode(f"AWS:{PASSWORD}".encode()).decode()]
    events = []
    with Watch() as watch, Fleet([Target(name="controller", carrier="local")], on_event=events.append) as fleet:
        report = fleet.run([tasks.image_push(**ecr(name, source))])
    assert front.tags(name) == [head(source)[:12]]
    assert any(b"docker\0build" in line for line in watch.seen), "nothing was watched"
    told = [*map(repr, watch.seen), json.dumps(report.to_dict()), *map(repr, events)]
    assert [text for text in told for word in words if word in text] == []
    assert files_with(words, [tmp_path, engine.folder, Path("/run"), Path("/dev/shm")], began) == []


# what goes wrong on the way


@pytest.mark.parametrize(("after_effect", "puts"), [(True, 1), (False, 2)])
def test_a_lost_answer_is_cleared_up_by_looking(moto, front, name, built, after_effect, puts):
    front.fail("manifests.put", after_effect=after_effect, code="UNKNOWN")
    ran = run("image_push", ready(name, built))
    assert (ran.status, ran.error, front.tags(name)) == ("changed", None, ["v1"])
    assert len(front.calls("manifests.put")) == puts


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_waited_out(moto, front, name, built, times):
    front.throttle("manifests.get", times)
    front.throttle("manifests.put", times)
    moto.throttle("GetAuthorizationToken", times)
    assert run("image_push", ready(name, built)).status == "changed"


def test_endless_throttling_is_told(moto, front, name, built):
    front.throttle("manifests.put")
    ran = run("image_push", ready(name, built, wait=4))
    assert (ran.status, "toomanyrequests" in ran.error, front.tags(name)) == ("failed", True, [])


def test_a_login_that_expires_on_the_way_is_renewed_once(moto, front, name, built):
    expired = {
        "status": 403,
        "code": "DENIED",
        "message": "Your authorization token has expired. Reauthenticate and try again.",
    }
    front.fail("manifests.put", **expired)
    assert run("image_push", ready(name, built)).status == "changed"
    assert len(moto.calls("GetAuthorizationToken")) == 2
    front.fail("manifests.put", times=None, **expired)
    ran = run("image_push", ready(name, built, tag="v2"))
    assert "token has expired" in ran.error
    assert PASSWORD not in repr(ran)


def test_credentials_of_aws_that_expire_are_told(moto, front, name, built):
    moto.expire_credentials(2)
    assert "renew the AWS credentials" in run("image_push", ready(name, built)).error
    moto.mend()
    ran = run("image_push", ready(name, built, account="999999999999"))
    assert "not to 999999999999" in ran.error
    assert front.requests == []


def test_a_tag_that_somebody_moves_meanwhile_is_told(moto, front, name, built, engine):
    assert run("image_push", ready(name, built)).status == "changed"
    engine.run("tag", built, f"{front.host}/{name}:other")
    moved = json.dumps({**json.loads(front.manifest(name, "v1")[1]), "annotations": {"moved": "yes"}})
    answer = Response(moved, 200, content_type=json.loads(moved)["mediaType"])
    front.twist("manifests.put", lambda found: front.twist("manifests.get", lambda _: answer, times=None))
    ran = run("image_push", ready(name, built, tag="v2"))
    assert "somebody moved the tag" in ran.error


def test_a_login_for_another_registry_is_not_used(moto, front, name, built):
    def elsewhere(body):
        body["authorizationData"][0]["proxyEndpoint"] = "https://evil.example"

    moto.twist("GetAuthorizationToken", elsewhere, times=None)
    ran = run("image_push", ready(name, built))
    assert "the login of ECR is for evil.example, not for" in ran.error
    assert front.requests == []


@pytest.mark.parametrize(
    "answer", [{}, {"authorizationData": []}, {"authorizationData": [{"authorizationToken": "no base64!"}]}]
)
def test_a_login_that_is_none_is_told(moto, front, name, built, answer):
    moto.answer("GetAuthorizationToken", answer, times=None)
    assert "holds no login" in run("image_push", ready(name, built)).error


def test_what_is_missing_is_told(moto, front, name, source, built, tmp_path):
    assert "there is no repository nosuch" in run("image_push", ready("nosuch", built)).error
    assert "the Docker engine has no image nosuch:1" in run("image_push", ready(name, "nosuch:1")).error
    assert "has no commit nosuch" in run("image_push", ecr(name, source, commit="nosuch")).error
    assert "has no commit HEAD" in run("image_push", ecr(name, tmp_path)).error
    assert "Nosuch: no such file" in run("image_push", ecr(name, source, dockerfile="Nosuch")).error


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # docker leaves the socket open
def test_an_engine_that_is_not_running_is_told(moto, name, built, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nosuch")
    ran = run("image_push", ready(name, built))
    assert "the Docker engine at unix:///nosuch does not answer" in ran.error
    assert "is it running? DOCKER_HOST names another" in ran.error
    gc.collect()


def test_a_build_that_fails_tells_the_end_of_its_log(moto, front, name, source):
    (source / "Dockerfile").write_text("FROM scratch\nCOPY nosuch /\n")
    commit(source.parent, "broken")
    ran = run("image_push", ecr(name, source))
    assert "docker build failed with exit code 1" in ran.error
    assert any("COPY nosuch" in line for line in ran.data["log"])
    assert front.tags(name) == []


def test_a_build_that_does_not_end_is_stopped(moto, front, name, source, monkeypatch, tmp_path):
    (tmp_path / "docker").write_text("#!/bin/sh\necho begun\nsleep 600 & sleep 600\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ran = run("image_push", ecr(name, source, wait=1))
    assert ran.error == "docker build: time is up; it was stopped"


def test_submodules_are_refused(moto, name, source, tmp_path):
    git(source.parent, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(source.parent), "api/lib")
    commit(source.parent, "with a submodule")
    assert "has submodules, which do not come with a commit: lib" in run("image_push", ecr(name, source)).error


# registries that are not to be trusted


@pytest.fixture
def registry(front, moto, name, built):
    """The repository at the registry, with an image."""
    assert run("image_push", ready(name, built)).status == "changed"
    front.mend()
    return Registry(Address(front.host, name), Login("AWS", PASSWORD), Patience(5, 0.005), plain=True)


def test_an_index_is_read_with_all_its_images(front, registry):
    name = registry._repository.name
    one, manifest = front.manifest(name, "v1")
    kind = json.loads(manifest)["mediaType"]
    attached = {"mediaType": kind, "digest": "sha256:" + "0" * 64, "size": 1, "platform": {"os": "unknown"}}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": kind,
                "digest": one,
                "size": len(manifest),
                "platform": {"os": "linux", "architecture": "amd64"},
            },
            attached,
        ],
    }
    answer = Response(json.dumps(index), 200, content_type=index["mediaType"])
    front.twist("manifests.get", lambda _: answer)
    found = registry.find("v1")
    assert found.configs == (json.loads(manifest)["config"]["digest"],)


def manifests(change):
    def twist(response):
        document = json.loads(response.get_data())
        changed = change(document)
        return Response(json.dumps(document if changed is None else changed), 200, content_type=response.content_type)

    return twist


@pytest.mark.parametrize(
    ("operation", "answer", "told"),
    [
        ("manifests.get", lambda r: Response("<html>", 200), "no JSON"),
        (
            "manifests.get",
            lambda r: Response(r.get_data() + b" ", 200, headers=r.headers),
            "not the one that its digest is of",
        ),
        ("manifests.get", manifests(lambda d: []), "of a kind that is not known"),
        ("manifests.get", manifests(lambda d: d.update(mediaType="application/evil")), "of a kind that is not known"),
        ("manifests.get", manifests(lambda d: d.update(config="x")), "no configuration or no layers"),
        ("manifests.get", manifests(lambda d: d["config"].update(digest="../../etc")), "no configuration or no layers"),
        ("manifests.get", manifests(lambda d: d.update(layers=[7])), "layer has no size"),
        ("manifests.get", lambda r: Response(b"x" * (17 << 20), 200), "longer than 16 MiB"),
        ("blobs.get", lambda r: Response('{"config": {"Labels": {}}}', 200), "not the one that its digest is of"),
        ("blobs.get", lambda r: Response("", 307, headers={"Location": "ftp://evil.example/x"}), "not safe"),
    ],
)
def test_answers_that_make_no_sense_are_told(front, registry, operation, answer, told):
    front.twist(operation, answer, times=None)
    with pytest.raises(Exception, match=told) as caught:
        registry.find("v1")
    assert type(caught.value).__name__ == "MalformedError"
    assert str(caught.value).isprintable()


def test_a_store_elsewhere_is_followed_without_the_login(front, registry):
    seen = []
    with RegistryFront(front.registry) as store:

        def moved(response):
            blob = response.get_data()
            store.twist("blobs.get", lambda _: Response(blob, 200))
            return Response("", 307, headers={"Location": f"{store.url}/v2/x/blobs/y?signature=1"})

        front.twist("blobs.get", moved)
        store.perform = lambda call, request: seen.append(call.body) or Response("", 200)
        assert registry.find("v1").size > 0
    assert seen == [""]


# bad parameters


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({}, "give either folder"),
        ({"folder": "/x", "image": "y"}, "give either folder"),
        ({"image": "y"}, "give the tag"),
        ({"folder": "/x", "account": "123456789012"}, "account and region belong together"),
        ({"folder": "/x", "username": "y"}, "username and password belong together"),
        ({"folder": "/x", "repository": "api"}, "names no registry"),
        ({"folder": "/x", "repository": "evil.example/../x"}, "is no repository"),
        ({"folder": "/x", "commit": "--upload-pack=x"}, "is no git commit"),
        ({"folder": "/x", "dockerfile": "../Dockerfile"}, "is no path below"),
        ({"folder": "/x", "arguments": {"--x": "y"}}, "no name of a build argument"),
        ({"folder": "/x", "tag": "a b"}, "is no tag"),
        ({"folder": "/x", "target": "-x"}, "is no build stage"),
        ({"image": "-x", "tag": "y"}, "is no image"),
        ({**AWS, "folder": "/x", "username": "a", "password": "b"}, "ECR takes no username"),
    ],
)
def test_bad_parameters_are_refused(args, told):
    ran = run("image_push", {"repository": "registry.example/api", **args})
    assert told in ran.error
