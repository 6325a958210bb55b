"""Build an image from a git commit, or take one that is built, and push it to a registry."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opslib.cloud.aws.ecr import Repositories
from opslib.cloud.aws.task import AwsTask, account_id, region_name
from opslib.cloud.errors import MismatchError
from opslib.cloud.images.destination import Destination, is_same
from opslib.cloud.images.engine import Engine, Local, Recipe, configured
from opslib.cloud.images.kinds import Below, Word, repository_name, tag
from opslib.cloud.images.names import Address, address
from opslib.cloud.images.registry import Login, Remote
from opslib.cloud.images.source import Source
from opslib.cloud.task import CREATE, MODIFY, Change, Plan, TaskError, param
from opslib.host import wire
from opslib.host.params import Boolean, Mapping, Name, Path, Text, shown
from opslib.host.words import count

__all__ = ["ImagePush"]

REVISION = "org.opencontainers.image.revision"
RECIPE = "opslib.recipe"


@dataclass(frozen=True, slots=True)
class _State:
    """What is to be pushed (a commit with a recipe, or an image that is here), where, and what is there."""

    place: Address
    tag: str
    remote: Remote | None
    commit: str = ""
    recipe: str = ""
    changes: int = 0
    local: Local | None = None


class ImagePush(AwsTask, name="image_push"):
    """Build an image from a git commit, or take one that is built, and push it to a registry.

    With `folder` the image is built from the files that are committed there, never from others that lie about; it gets
    labels that tell the commit and how it was built, and the commit's hash as its tag unless `tag` says otherwise. With
    `image` one is pushed that the engine has. An image that is at the registry under that tag already, built from the
    same commit in the same way (or equal to `image`), is not pushed again; another one under the same tag is an error,
    unless `overwrite`. After a push the registry is asked for the digest, and it must be the one that was pushed.

    With `account` and `region` the registry is ECR's: the credentials of AWS must lead to that account, and give a
    login for twelve hours. Other registries get `username` and `password`, or what `docker login` left on this machine.
    A login is given to the engine through its socket: it stands in no argument and in no file.

    data: `image` (with its tag), `digest`, `reference` (the address with the digest, to deploy), `commit`; `bytes` at
    the registry. Errors: there is no such repository or commit; submodules, which do not come with a commit; the build
    fails (`log`). It needs Docker's command line for building, and its engine.
    """

    account: str | None = param(  # type: ignore[assignment] # what AWS needs is asked only for ECR
        account_id(), "For ECR: the account that must be worked in; any other is refused.", default=None
    )
    region: str | None = param(  # type: ignore[assignment]
        region_name(), "For ECR: the region.", default=None
    )
    repository: str = param(
        repository_name(full=True),
        "The repository: its name for ECR, its address for other registries.",
        example="registry.example/spendsense-api",
    )
    tag: str | None = param(tag(), "The tag; the commit's first 12 digits by default.", default=None, example="v42")
    folder: str | None = param(
        Path(), "Build from this folder, in a git repository on this machine.", default=None, example="/srv/src/api"
    )
    commit: str = param(Word("git commit, tag or branch"), "The commit to build from.", default="HEAD")
    dockerfile: str = param(Below("path below the folder"), "The Dockerfile, below the folder.", default="Dockerfile")
    arguments: dict[str, str] = param(
        Mapping(Text(empty=True)), "Arguments of the build; no secrets: they stay in the image.", default={}
    )
    target: str | None = param(Name("build stage"), "The stage of the Dockerfile to build.", default=None)
    platform: str | None = param(
        Name("platform such as linux/amd64", signs="/_.-"), "The platform to build for.", default=None
    )
    image: str | None = param(Word("image"), "Push this image of the engine, instead of building.", default=None)
    overwrite: bool = param(Boolean(), "Whether another image under the same tag is replaced.", default=False)
    username: str | None = param(Text("user name"), "The user at the registry, if it is not ECR.", default=None)
    password: str | None = param(Text("password", secret=True), "The password, from a vault.", default=None)
    plain_http: bool | None = param(
        Boolean(), "Whether the registry speaks HTTP; by default only one on this machine does.", default=None
    )

    def check(self) -> None:
        if (self.image is None) == (self.folder is None):
            self.refuse("give either folder, to build, or image, to push what is built")
        if self.image is not None and self.tag is None:
            self.refuse("give the tag under which the image is pushed")
        if (self.account is None) != (self.region is None):
            self.refuse("account and region belong together: both for ECR, none for other registries")
        if (self.username is None) != (self.password is None):
            self.refuse("username and password belong together")
        if self.account is not None and self.username is not None:
            self.refuse("ECR takes no username: its login comes from the credentials of AWS")
        if self.account is None and address(self.repository) is None:
            self.refuse("repository names no registry; for ECR give account and region")
        for key in self.arguments:
            if not key.isidentifier():
                self.refuse(f"{shown(key)} is no name of a build argument")

    def scope(self) -> dict[str, str]:
        if self.account is None or self.region is None:
            return {"repository": self.repository}
        return {"account": self.account, "region": self.region, "repository": self.repository}

    def identify(self) -> None:
        if self.account is not None:
            super().identify()

    def secrets(self) -> Iterator[str]:
        yield from super().secrets()
        known: Destination | None = self.__dict__.get("_destination")
        if known is not None and known.login is not None:
            yield known.login.password
            yield known.login.basic

    @functools.cached_property
    def _place(self) -> Address:
        """The repository's address. Raises TaskError when ECR has no such repository."""
        given = address(self.repository)
        if self.account is None:
            assert given is not None
            return given
        name = given.name if given is not None else self.repository
        found = Repositories(self).find(name)
        place = address(found.uri) if found is not None else None
        if place is None:
            raise TaskError(f"there is no repository {name} ({self.account}, {self.region}); ecr_repository makes one")
        if given is not None and given != place:
            raise MismatchError(
                f"repository {given} is not in account {self.account}, {self.region}: there it is {place}"
            )
        return place

    def _login(self) -> Login | None:
        """Return the login to the registry, None without one."""
        if self.username is not None and self.password is not None:
            return Login(self.username, self.password)
        if self.account is None:
            return configured(self._place.host)
        found = Repositories(self).login()
        if found.host != self._place.host:
            raise MismatchError(f"the login of ECR is for {found.host}, not for {self._place.host}; it was not used")
        return Login(found.user, found.password)

    @functools.cached_property
    def _destination(self) -> Destination:
        plain = self._place.is_loopback if self.plain_http is None else self.plain_http
        return Destination(self._place, self._login, self.patience, renew=self.account is not None, plain=plain)

    def look(self) -> _State:
        place = self._place
        if self.folder is None:
            with Engine(self.patience) as engine:
                local = engine.image(self.image or "")
            if local is None:
                raise TaskError(f"the Docker engine has no image {self.image}")
            name = self.tag or ""
            return _State(place, name, self._destination.find(name), local=local)
        source = Source(self.folder)
        commit = source.commit(self.commit)
        with Engine(self.patience):
            pass  # that there is none is told when checking, too
        name = self.tag or commit[:12]
        recipe = self._recipe(commit, source)
        return _State(place, name, self._destination.find(name), commit, recipe, source.changes())

    def _recipe(self, commit: str, source: Source) -> str:
        """Return a text that two images have in common when they were built from the same in the same way."""
        parts = [commit, source.prefix(), self.dockerfile, self.arguments, self.target, self.platform]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    def compare(self, state: _State) -> Plan:
        name = f"{state.place}:{state.tag}"
        data: dict[str, Any] = {"image": name, "digest": None, "reference": None, "commit": state.commit or None}
        warnings = []
        if state.changes:
            warnings.append(
                f"not committed in {self.folder}: {count(state.changes, 'file')}; the image is built without"
            )
        if state.remote is not None and self._is_it(state, state.remote):
            data.update(
                digest=state.remote.digest, reference=f"{state.place}@{state.remote.digest}", bytes=state.remote.size
            )
            return Plan(reason=f"{name} is there, with {state.remote.digest[:19]}", warnings=warnings, data=data)
        if state.remote is not None and not self.overwrite:
            found = state.remote.labels.get(REVISION, "")
            other = f"of commit {found[:12]}" if found.isalnum() else "that does not tell its commit"
            failure = f"{name} is another image, {other}; push under another tag, or set overwrite"
            return Plan(failure=failure, warnings=warnings, data=data)
        what = (
            f"push image {self.image}"
            if self.folder is None
            else f"build commit {state.commit[:12]} of {self.folder} and push it"
        )
        change = Change(
            kind=CREATE if state.remote is None else MODIFY,
            summary=f"{what} as {name}",
            before=state.remote.digest if state.remote is not None else None,
            after=state.local.identity if state.local is not None else f"commit {state.commit}",
            detail=state,
        )
        return Plan(changes=[change], warnings=warnings, data=data)

    def _is_it(self, state: _State, remote: Remote) -> bool:
        """Whether what is at the registry is what would be pushed."""
        if state.local is None:
            return (remote.labels.get(REVISION), remote.labels.get(RECIPE)) == (state.commit, state.recipe)
        known = f"{state.place}@{remote.digest}"
        return is_same(state.local.identity, remote) or known in state.local.digests

    def apply(self, change: Change) -> None:
        state: _State = change.detail
        with Engine(self.patience) as engine:
            if state.local is None:
                identity = self._build(engine, state)
            else:
                identity = state.local.identity
                engine.tag(identity, state.place, state.tag)
            self._destination.push(engine, identity, state.tag, self._tell)

    def _build(self, engine: Engine, state: _State) -> str:
        assert self.folder is not None
        with tempfile.TemporaryDirectory(prefix="opslib-image-") as private:
            place = os.path.join(private, "files")
            os.mkdir(place)
            Source(self.folder).export(state.commit, place)
            recipe = Recipe(
                folder=place,
                dockerfile=self.dockerfile,
                labels={REVISION: state.commit, RECIPE: state.recipe},
                arguments=self.arguments,
                target=self.target,
                platform=self.platform,
            )
            return engine.build(recipe, f"{state.place}:{state.tag}", self._tell)

    def _tell(self, text: str) -> None:
        self.say(str(wire.mask(text, list(self.secrets()))))
