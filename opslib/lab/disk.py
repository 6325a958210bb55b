"""A host's disk: a tmpfs of limited size whose contents lie over the image (overlay; mount(8), tmpfs(5))."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .command import call
from .errors import LabError
from .places import remove_tree, unmount_below
from .seed import host_folder
from .state import LabState

__all__ = ["discard", "fill", "free", "provide", "root", "save"]


_OWN = (
    *(
        f"etc/{name}"
        for name in ("hostname", "hosts", "machine-id", "shadow", "shadow-", "gshadow-", "passwd-", "group-")
    ),
    *(f"etc/ssh/ssh_host_ed25519_key{end}" for end in ("", ".pub")),
    *("root/.ssh", "run", "tmp", "var/tmp", "var/log/journal", "var/lib/systemd/random-seed"),
)


def root(state: LabState, number: int) -> Path:
    """Return the host's root folder as this machine sees it. Mind absolute symbolic links: they lead out of it."""
    return host_folder(state, number) / "root"


def provide(state: LabState, number: int, image: Path) -> None:
    """Give the host an empty writable layer over the image and the lab's layers, with the host's own size limit."""
    folder = host_folder(state, number)
    disk = folder / "disk"
    for path in (disk, folder / "root"):
        path.mkdir(exist_ok=True)
    call(["mount", "-t", "tmpfs", "-o", f"size={state.spec.disk},mode=755", "tmpfs", str(disk)])
    for name in ("upper", "work"):
        (disk / name).mkdir()
        (disk / name).chmod(0o755)  # whatever our umask: it becomes the mode of the host's /
    lower = ":".join(map(str, (folder / "seed", state.folder / "seed", *state.spec.layers, image)))
    options = f"lowerdir={lower},upperdir={disk / 'upper'},workdir={disk / 'work'}"
    call(["mount", "-t", "overlay", "-o", options, "overlay", str(folder / "root")])


def save(state: LabState, number: int, target: Path) -> None:
    """Copy what the host has written to the folder `target`, which must not exist, but for what makes it this host.

    The copy can be a layer of other labs: identity, keys, passwords and the journal stay out of it.
    """
    upper = host_folder(state, number) / "disk" / "upper"
    aside = target.with_name(f"{target.name}.partial-{os.getpid()}")
    remove_tree(aside)
    target.parent.mkdir(parents=True, exist_ok=True)
    call(["cp", "-a", "--", str(upper), str(aside)], timeout=600)
    for name in _OWN:
        path = aside / name
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        else:
            remove_tree(path)
    aside.rename(target)


def discard(state: LabState, number: int) -> None:
    """Take the host's disk away with all that was written to it."""
    unmount_below(host_folder(state, number))


def fill(state: LabState, number: int, leave_bytes: int) -> None:
    """Take all free space but `leave_bytes`. The file that takes it is not visible in the host."""
    if leave_bytes < 0:
        raise LabError(f"leave_bytes={leave_bytes}: must not be negative")
    disk = host_folder(state, number) / "disk"
    # A rest smaller than a page cannot be left.
    with (disk / "filler").open("ab") as filler:
        while True:
            found = os.statvfs(disk)
            surplus = (found.f_bavail - -(-leave_bytes // found.f_frsize)) * found.f_frsize
            if surplus <= 0:
                return
            try:
                os.posix_fallocate(filler.fileno(), filler.seek(0, os.SEEK_END), surplus)
            except OSError as error:
                if error.errno != errno.ENOSPC:  # the host itself wrote something meanwhile
                    raise


def free(state: LabState, number: int) -> None:
    """Give back what `fill` took; nothing happens when it took nothing."""
    (host_folder(state, number) / "disk" / "filler").unlink(missing_ok=True)
