"""`opslib lab`: disposable hosts to rehearse on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from opslib.cli.click_parts import CONTEXT, Group, command, option
from opslib.cli.screen import Screen, written
from opslib.errors import UsageError
from opslib.output.lines import line
from opslib.output.names import listed
from opslib.output.text import visible

if TYPE_CHECKING:
    from opslib.lab import Lab, Progress
    from opslib.lab.progress import Observer

__all__ = ["lab"]

EXAMPLES = (
    ("opslib lab up -n 3", "Boot three hosts; they stay until `opslib lab down`."),
    ('opslib run maintenance:weekly -i "$(opslib lab inventory)"', "Rehearse a role on them."),
    ("opslib lab ssh lab1 -- systemctl status", "Run a command on one of them."),
    ("opslib lab down", "Remove them and everything that belongs to them."),
)


COMMANDS = {
    "up": ("Boot hosts.", "opslib.cli.lab:up"),
    "down": ("Remove a lab.", "opslib.cli.lab:down"),
    "list": ("List the labs of this machine.", "opslib.cli.lab:labs"),
    "inventory": ("Print the path of a lab's inventory.", "opslib.cli.lab:inventory"),
    "ssh": ("Log in to a host of a lab.", "opslib.cli.lab:ssh"),
}


@click.group("lab", cls=Group, homes=COMMANDS, examples=EXAMPLES, context_settings=CONTEXT)
def lab() -> None:
    """Disposable, real systemd hosts on this machine: containers with sshd, a disk and a network of their own.

    Needs root on Linux.
    """


name_option = option("--name", metavar="NAME", help="Which lab; needed when there are several.")


@command("up", examples=EXAMPLES[:1])
@option("-n", "--hosts", type=click.IntRange(1, 250), default=3, show_default=True, metavar="N", help="How many hosts.")
@option("--name", metavar="NAME", help="Name of the lab; made up when not given.")
@option("--disk", default="512M", show_default=True, metavar="SIZE", help="Size of each host's disk, which is memory.")
@option(
    "--package", "packages", multiple=True, metavar="NAME", help="One more Debian package in the hosts. Repeatable."
)
def up(*, hosts: int, name: str | None, disk: str, packages: tuple[str, ...]) -> int:
    """Boot hosts that stay until `opslib lab down`. The first time, their base image is built (some 20 seconds)."""
    from opslib.lab import Lab

    out, err = Screen(sys.stdout), Screen(sys.stderr)
    with _progress(err) as progress:
        started = Lab.start(hosts, detached=True, name=name, disk=disk, packages=packages, progress=progress)
    names = listed([host.name for host in started.hosts])
    out.print(
        line((started.name, "bold"), f": {hosts} host{'s' * (hosts != 1)} ({names})"),
        f"inventory: {started.inventory}",
        line((f"next: opslib run ROLE:ENTRY -i {started.inventory} --check; opslib lab down {started.name}", "dim")),
    )
    return written(out)


@command("down")
@click.argument("name", required=False)
@option("--all", "every", is_flag=True, help="All labs of this machine, also those that tests are using.")
def down(name: str | None, *, every: bool) -> int:
    """Remove a lab's hosts and everything that belongs to them."""
    from opslib.lab import Lab

    names = [info.name for info in Lab.list() if info.alive] if every else [_chosen(name)]
    screen = Screen(sys.stdout)
    for each in names:
        Lab.attach(each).stop()
        screen.print(f"removed: {each}")
    if not names:
        screen.print("there is no lab")
    return written(screen)


@command("list")
def labs() -> int:
    """List the labs of this machine."""
    from opslib.lab import Lab

    found = Lab.list()
    screen = Screen(sys.stdout)
    for info in found:
        since = datetime.fromtimestamp(info.created).astimezone()
        state = "" if info.alive else "  its owner died; the next start removes it"
        kind = "until `opslib lab down`" if info.detached else "until its owner ends"
        hosts = f"{info.hosts} host{'s' * (info.hosts != 1)}  {info.network}  since {since:%Y-%m-%d %H:%M}"
        screen.print(line((info.name, "bold"), f"  {hosts}  {kind}{state}"))
    if not found:
        screen.print("there is no lab; `opslib lab up` boots one")
    return written(screen)


@command("inventory", examples=EXAMPLES[1:2])
@name_option
@option("--user", metavar="USER", help="Print an inventory, not a path, for another user: ops, pat or nosudo.")
def inventory(*, name: str | None, user: str | None) -> int:
    """Print the path of a lab's Ansible inventory."""
    attached = _attached(name)
    screen = Screen(sys.stdout)
    screen.write(f"{attached.inventory_text(user) if user else attached.inventory}\n")
    return written(screen)


@command("ssh", examples=EXAMPLES[2:3])
@click.argument("host")
@click.argument("words", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@name_option
def ssh(host: str, words: tuple[str, ...], *, name: str | None) -> int:
    """Log in to a host of a lab as root, or run a command there. The exit code is ssh's."""
    attached = _attached(name)
    names = [each.name for each in attached.hosts]
    if host not in names:
        raise UsageError(f"lab {attached.name} has no host {ascii(host)[:80]}; it has {', '.join(names)}")
    sys.stdout.flush()
    try:
        os.execvp("ssh", ["ssh", "-F", str(attached.ssh_config), "--", host, *words])  # noqa: S606 - no shell
    except OSError as error:
        raise UsageError(f"cannot start ssh: {error.strerror}; apt-get install openssh-client") from error


def _attached(name: str | None) -> Lab:
    from opslib.lab import Lab

    return Lab.attach(_chosen(name))


def _chosen(name: str | None) -> str:
    """Return the name of the one lab that is meant."""
    from opslib.lab import Lab

    if name is not None:
        return name
    names = [info.name for info in Lab.list() if info.alive and info.detached]
    if len(names) != 1:
        found = f"there are {', '.join(names)}; say which" if names else "none runs; `opslib lab up` boots one"
        raise UsageError(f"which lab? {found}")
    return names[0]


@contextmanager
def _progress(screen: Screen) -> Iterator[Observer]:
    """Show how far the start is: rewritten in place on a terminal, line by line elsewhere."""
    wrote = False

    def show(progress: Progress) -> None:
        nonlocal wrote
        text = visible(f"{progress.text} ({progress.done}/{progress.total})" if progress.done else progress.text)
        if screen.live:
            screen.write(f"\r\x1b[K{text[:120]}")
            wrote = True
        else:
            screen.print(text)

    try:
        yield show
    finally:
        if wrote:
            screen.write("\r\x1b[K")
