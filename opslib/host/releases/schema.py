"""How a database's schema follows the code."""

from __future__ import annotations

import os

from opslib.host.files import env_file
from opslib.host.record import Record
from opslib.host.units.environ import secret_parts

from .venv import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from .ground import Ground

_LINKER = ("LD_", "GLIBC_", "GCONV_", "LOCPATH", "NLSPATH", "MALLOC_")


class Schema(Record):
    """The commands that change the schema.

    up, down: words of a command, run in a release's folder; env_file: variables for them; timeout: seconds.
    """

    up: Sequence[str] = ()
    down: Sequence[str] = ()
    env_file: str | None = None
    timeout: float = 900

    def run(self, words: Sequence[str], ground: Ground, identity: str) -> None:
        """Run one of the commands with a release's code, its environment and the variables of the service."""
        venv, folder = ground.venv_folder(identity), ground.app_folder(identity)
        values = env_file.read(self.env_file) if self.env_file else {}
        # What the dynamic linker obeys would be obeyed before the change to the user, too.
        env = {name: value for name, value in values.items() if name and not name.startswith(_LINKER)}
        env.update(environment(venv))
        program = words[0]
        if "/" not in program:
            own = venv + "/bin/" + program
            program = own if os.access(own, os.X_OK) else program
        elif not program.startswith("/"):
            program = folder + "/" + program
        secrets = [part for each in values.values() if each for part in (each, *secret_parts(each))]
        ground.actor.run([program, *words[1:]], timeout=self.timeout, env=env, cwd=folder, secrets=secrets)
