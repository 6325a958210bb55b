"""A Docker engine: images here are built by its command line, and pushed through its interface.

The login to a registry travels in a header to the engine's socket, so it stands in no argument and in no file. The only
place that imports docker. Source: https://docs.docker.com/reference/api/engine/.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from opslib.cloud.errors import (
    ExpiredError,
    MalformedError,
    MissingLibraryError,
    RefusedError,
    ServiceError,
    ThrottledError,
    TimeIsUpError,
    UnknownOutcomeError,
)
from opslib.cloud.images.names import Address, is_digest
from opslib.cloud.images.registry import Login
from opslib.cloud.libraries import load
from opslib.cloud.patience import Patience
from opslib.host.task import TaskError
from opslib.host.words import printable

__all__ = ["Engine", "Local", "Recipe", "configured"]

_SOCKET = "unix:///var/run/docker.sock"
_READ = 300  # seconds between two words of the engine
_LINES = 30
_LONGEST = 300
# What engines repeat of registries, which have codes for it that engines leave out.
_DENIED = ("unauthorized", "authentication required", "no basic auth", "denied", "token has expired")
_THROTTLED = ("toomanyrequests", "too many requests", "rate exceeded")
_REFUSED = (
    "already exists",
    "immutable",
    "tag invalid",
    "does not exist",
    "name unknown",
    "name invalid",
    "unsupported",
)


@dataclass(frozen=True, slots=True)
class Local:
    """An image that the engine has. digests: of it at registries, each after the repository's address and `@`."""

    identity: str
    digests: Sequence[str]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to build an image. folder: of its files; dockerfile: relative to it; arguments: they stay in its history."""

    folder: str
    dockerfile: str
    labels: Mapping[str, str]
    arguments: Mapping[str, str]
    target: str | None = None
    platform: str | None = None


class Engine:
    """The engine that `docker` would use: DOCKER_HOST, or the current context of its configuration."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._docker = load("docker", "docker")
        self.address = self._find()
        given = {**self._docker.utils.kwargs_from_env(), "base_url": self.address, "timeout": patience.cap(_READ)}
        try:
            with self._translated("connecting"):
                self._docker_client = self._docker.APIClient(**given)
        except UnknownOutcomeError as error:
            raise TaskError(f"{error}; is it running? DOCKER_HOST names another") from error

    @property
    def _client(self) -> Any:
        """Docker's client, which waits no longer for a word than there is time left."""
        self._docker_client.timeout = self._patience.cap(_READ)
        return self._docker_client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._docker_client.close()

    def _find(self) -> str:
        told = os.environ.get("DOCKER_HOST")
        if told:
            return told
        program = shutil.which("docker")
        if program is None:
            return _SOCKET
        line = [program, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout.strip() if done.returncode == 0 and "://" in done.stdout else _SOCKET

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        """Turn docker's errors into ours."""
        errors, requests = self._docker.errors, load("requests.exceptions", "docker")
        where = f"the Docker engine at {printable(self.address)}"
        try:
            yield
        except errors.APIError as error:
            text = _words(error.explanation or error)
            kind: type[ServiceError] = RefusedError if (error.status_code or 500) < 500 else UnknownOutcomeError
            raise kind(f"{where}: {doing}: {text}", status=error.status_code or 0) from error
        except (errors.DockerException, requests.RequestException, OSError) as error:
            raise UnknownOutcomeError(f"{where} does not answer ({doing}): {_words(error)}") from error

    def image(self, name: str) -> Local | None:
        """Return an image of the engine by name or identity, None when it has none."""
        doing = f"looking for image {name}"

        def ask() -> Any:
            with self._translated(doing):
                try:
                    return self._client.inspect_image(name)
                except self._docker.errors.ImageNotFound:
                    return None

        found = self._patience.read(ask, doing=doing)
        if found is None:
            return None
        identity, digests = found.get("Id"), found.get("RepoDigests") or []
        labels = (found.get("Config") or {}).get("Labels") or {}
        if not is_digest(identity):
            raise MalformedError(f"{doing}: the engine's answer makes no sense")
        return Local(str(identity), [str(each) for each in digests], {str(k): str(v) for k, v in labels.items()})

    def tag(self, image: str, address: Address, tag: str) -> None:
        """Give an image the name under which it is pushed."""
        with self._translated(f"tagging {image}"):
            self._client.tag(image, str(address), tag)

    def push(self, address: Address, tag: str, login: Login | None, told: Callable[[str], object]) -> str:
        """Push an image by its name, and return the digest that it has at the registry.

        told: takes a line of progress. Raises ExpiredError when the registry does not take the login, RefusedError when
        it does not take the image, UnknownOutcomeError when it is not known what it did.
        """
        doing = f"pushing {address}:{tag}"
        auth = {"username": login.user, "password": login.password} if login is not None else {}
        digest, done = "", 0
        with self._translated(doing):
            for event in self._client.push(str(address), tag=tag, auth_config=auth, stream=True, decode=True):
                if not isinstance(event, dict):
                    raise MalformedError(f"{doing}: the engine's answer makes no sense")
                if event.get("error") or event.get("errorDetail"):
                    raise _failure(doing, event)
                aux = event.get("aux")
                digest = str(aux.get("Digest", digest)) if isinstance(aux, dict) else digest
                if event.get("status") in ("Pushed", "Layer already exists", "Mounted from"):
                    done += 1
                    told(f"{doing}: {done} layers are there")
                if self._patience.deadline.left == 0:
                    raise TimeIsUpError(f"{doing}: time is up")
        if not is_digest(digest):
            raise UnknownOutcomeError(f"{doing}: the engine told no digest")
        return digest

    def build(self, recipe: Recipe, name: str, told: Callable[[str], object]) -> str:
        """Build an image, and return its identity. name: with a tag; told: takes the builder's words, line by line.

        Raises TaskError with the end of what the builder said when it fails.
        """
        program = shutil.which("docker")
        if program is None:
            raise MissingLibraryError("docker is not installed on this machine; its command line builds images")
        line = [program, "build", "--file", os.path.join(recipe.folder, recipe.dockerfile), "--tag", name]
        for key, value in recipe.labels.items():
            line += ["--label", f"{key}={value}"]
        for key, value in recipe.arguments.items():
            line += ["--build-arg", f"{key}={value}"]
        line += ["--target", recipe.target] if recipe.target else []
        line += ["--platform", recipe.platform] if recipe.platform else []
        self._run([*line, "--", recipe.folder], recipe.folder, told)
        found = self.image(name)
        if found is None:
            raise TaskError(f"docker build: image {name} was built, and is not there")
        return found.identity

    def _run(self, line: list[str], folder: str, told: Callable[[str], object]) -> None:
        """Run the builder to its end; it and its children die when time is up, or with us."""
        last: list[str] = []
        with subprocess.Popen(
            line,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        ) as process:
            try:
                for text in self._lines(process):
                    last = [*last[1 - _LINES :], text]
                    told(text)
                code = process.wait(self._patience.cap(60))
            except subprocess.TimeoutExpired:
                raise TimeIsUpError("docker build: it does not end; it was stopped") from None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if code != 0:
            raise TaskError(f"docker build failed with exit code {code}: {'; '.join(last[-3:])}", log=last)

    def _lines(self, process: subprocess.Popen[bytes]) -> Iterator[str]:
        """Yield what a program says, line by line, fit to be shown. Raises TimeIsUpError, also while it is silent."""
        assert process.stdout is not None
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN)
        left = b""
        while True:
            if self._patience.deadline.left == 0:
                raise TimeIsUpError("docker build: time is up; it was stopped")
            if not poll.poll(int(self._patience.cap(1) * 1000) + 1):
                continue
            piece = os.read(process.stdout.fileno(), 65536)
            *lines, left = (left + piece).split(b"\n") if piece else (left, b"")
            for raw in lines:
                text = printable(raw.decode("utf-8", "replace").strip())[:_LONGEST]
                if text:
                    yield text
            left = left[:65536]
            if not piece:
                return


def configured(host: str) -> Login | None:
    """Return the login to a registry that `docker login` left on this machine, None without one."""
    auth = load("docker.auth", "docker")
    try:
        found = auth.load_config().resolve_authconfig(auth.INDEX_NAME if host in auth.INDEX_NAME else host) or {}
    except load("docker.errors", "docker").DockerException as error:
        raise TaskError(f"docker's login to {host} cannot be read: {_words(error)}") from error
    user, password = (found.get(key) or found.get(key.lower()) for key in ("Username", "Password"))
    return Login(str(user), str(password)) if user and password else None


def _failure(doing: str, event: Mapping[str, Any]) -> ServiceError:
    """Return the error that a push's last event means."""
    detail = event.get("errorDetail")
    text = _words((detail.get("message") if isinstance(detail, dict) else None) or event.get("error"))
    low = text.lower()
    kind: type[ServiceError] = UnknownOutcomeError
    if any(word in low for word in _THROTTLED):
        kind = ThrottledError
    elif any(word in low for word in _REFUSED):
        kind = RefusedError
    elif any(word in low for word in _DENIED):
        kind = ExpiredError
    return kind(f"{doing}: {text}")


def _words(error: object) -> str:
    return printable(" ".join(str(error).split()))[:500]
