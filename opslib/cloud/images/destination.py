"""Where an image is pushed to: a repository at a registry, and the login to it."""

from __future__ import annotations

from collections.abc import Callable

from opslib.cloud.errors import (
    ExpiredError,
    RefusedError,
    ServiceError,
    ThrottledError,
    TimeIsUpError,
    UnknownOutcomeError,
)
from opslib.cloud.images.engine import Engine
from opslib.cloud.images.names import Address
from opslib.cloud.images.registry import Login, Registry, Remote
from opslib.cloud.patience import Patience

__all__ = ["Destination", "is_same"]


class Destination:
    """A repository.

    login: gives the login, None for none; renew: whether a new one is worth a try when the registry says that the login
    has expired; plain: speak HTTP.
    """

    def __init__(
        self, place: Address, login: Callable[[], Login | None], patience: Patience, *, renew: bool, plain: bool
    ) -> None:
        self.place = place
        self.login: Login | None = login()
        self._ask = login
        self._patience = patience
        self._renew = renew
        self._plain = plain

    def find(self, reference: str) -> Remote | None:
        """Return the image with a tag or digest, None when there is none."""
        return Registry(self.place, self.login, self._patience, plain=self._plain).find(reference)

    def push(self, engine: Engine, identity: str, tag: str, told: Callable[[str], object]) -> str:
        """Push an image that the engine has under this repository's name, and return its digest at the registry.

        identity: by which the engine knows it. Pushing the same twice leaves the same, so it is tried until it is so.
        Raises RefusedError when the tag leads to another image afterwards, or the registry does not take it;
        ExpiredError; the last transient error when time is up.
        """
        digest = self._insist(engine, identity, tag, told)
        found = self.find(tag)
        if found is None or found.digest != digest:
            there = found.digest[:19] if found is not None else "nothing"
            raise RefusedError(f"{self.place}:{tag} is {there}, and {digest[:19]} was pushed: somebody moved the tag")
        return digest

    def _insist(self, engine: Engine, identity: str, tag: str, told: Callable[[str], object]) -> str:
        last: ServiceError | None = None
        renew = self._renew
        try:
            for _turn in self._patience.pauses(f"pushing {self.place}:{tag}"):
                try:
                    return engine.push(self.place, tag, self.login, told)
                except ExpiredError:
                    if not renew:
                        raise
                    self.login, renew = self._ask(), False
                except ThrottledError as error:
                    last = error
                except UnknownOutcomeError as error:
                    last = error
                    found = self.find(tag)
                    if found is not None and is_same(identity, found):
                        return found.digest
        except TimeIsUpError as error:
            raise last or error from error
        raise AssertionError


def is_same(identity: str, remote: Remote) -> bool:
    """Whether an image of an engine is one at a registry; engines name images by configuration, or by manifest."""
    return identity in (remote.digest, *remote.configs)
