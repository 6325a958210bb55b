"""Lab images: built once with mmdebstrap, kept as a tarball, unpacked on tmpfs while a lab uses them."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from . import places
from .cgroup import ControlGroup
from .command import PLAIN_ENVIRONMENT, call, tail
from .customise import DPKG_OPTIONS, PACKAGES, customise, fingerprint
from .errors import LabError
from .launch import launch
from .places import locked, remove_tree, unmount_below
from .state import existing

__all__ = ["Image", "borrow", "give_back", "unpacked"]

_BUILD_SECONDS = 1200


@dataclass(frozen=True, slots=True)
class Image:
    """A Debian release with packages, customised for labs."""

    suite: str
    packages: tuple[str, ...]

    @property
    def key(self) -> str:
        """Names this very content; images of another architecture, release or package list have other keys."""
        text = f"{platform.machine()} {fingerprint(self.suite, self.packages)}"
        return f"{self.suite}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def tarball(self, cache: Path) -> Path:
        """Where the packed image is kept."""
        return cache / f"{self.key}.tar.zst"

    def build(self, cache: Path, scratch: Path, group: ControlGroup) -> Path:
        """Build the tarball unless it is there, and return its path. Takes half a minute, and two builders take turns.

        scratch: a folder that does not exist yet, for the tree (on a tmpfs of its own).
        group: control group of the build's processes, so that whoever tears the lab down finds them.
        """
        tarball = self.tarball(cache)
        with locked(cache / f"{self.key}.lock"):
            if not tarball.exists():
                aside = tarball.with_suffix(f".partial-{os.getpid()}")
                for left in cache.glob(f"{self.key}.tar.partial-*"):
                    left.unlink()
                try:
                    tree = self._build_tree(scratch, group)
                    call(["tar", "-C", str(tree), *_TAR, "-cf", str(aside), "."], timeout=_BUILD_SECONDS)
                    aside.rename(tarball)
                finally:
                    aside.unlink(missing_ok=True)
                    remove_tree(scratch)
        return tarball

    def _build_tree(self, scratch: Path, group: ControlGroup) -> Path:
        scratch.mkdir(parents=True)
        # Debian forces every file to the disk; on tmpfs that costs nothing.
        call(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(scratch)])
        tree, temporary, log = scratch / "tree", scratch / "tmp", scratch / "log"
        temporary.mkdir()
        argv = [
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            *(f"--dpkgopt={option}" for option in DPKG_OPTIONS),
            f"--include={','.join(sorted({*PACKAGES, *self.packages}))}",
            self.suite,
            str(tree),
        ]
        process = launch(argv, group=group, log=log, env={**PLAIN_ENVIRONMENT, "TMPDIR": str(temporary)})
        try:
            code = process.wait(_BUILD_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"mmdebstrap did not end in {_BUILD_SECONDS} seconds") from error
        finally:
            group.kill()  # when it was interrupted; its mounts cannot be removed while it runs
            process.wait()
        if code:
            said = tail(log.read_text(errors="replace"), 8)
            raise LabError(f"mmdebstrap could not build the image (exit code {code}):\n{said}")
        customise(tree)
        return tree


_TAR = ("--numeric-owner", "--xattrs", "--xattrs-include=*", "--use-compress-program=zstd -1 -T0")


def borrow(image: Image, cache: Path, scratch: Path, group: ControlGroup, say: Callable[[str], None]) -> Path:
    """Return the folder with the unpacked image, read-only. It stays at least until the calling lab's `give_back`.

    scratch, group: as for Image.build. say: told what takes long.
    """
    if not image.tarball(cache).exists():
        say("building the image, once")
    tarball = image.build(cache, scratch, group)
    folder = unpacked(image.key)
    ready = folder.with_suffix(".ready")
    with locked(places.RUN / ".images.lock"):
        if not ready.exists() or not folder.is_mount():
            say("unpacking the image")
            unmount_below(folder)
            folder.mkdir(parents=True, exist_ok=True)
            call(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(folder)])
            call(["tar", "-C", str(folder), *_TAR, "-xpf", str(tarball)], timeout=_BUILD_SECONDS)
            call(["mount", "-o", "remount,ro", str(folder)])
            ready.touch()
    return folder


def give_back(key: str, borrower: str) -> None:
    """Say that the lab with the id `borrower` needs the image no more; the last one to do so frees its memory."""
    folder = unpacked(key)
    with locked(places.RUN / ".images.lock"):
        # A lab's state is there before it borrows and until it has given back, so the states tell who needs it.
        if any(state.image == key and state.id != borrower for state in existing()):
            return
        folder.with_suffix(".ready").unlink(missing_ok=True)
        remove_tree(folder)
        with suppress(OSError):  # other images are there, or none ever was
            folder.parent.rmdir()


def unpacked(key: str) -> Path:
    """Where the image with this key is unpacked while labs use it."""
    return places.RUN / ".images" / key
