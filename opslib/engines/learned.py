"""What a playbook holds that must not be shown: learnt while its plays are loaded."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from opslib.engines import ansible_core as core
from opslib.engines import included, obstacles
from opslib.engines.hidden import Hidden
from opslib.engines.prepared import Prepared, place_of
from opslib.engines.work import HostWork
from opslib.errors import PlaybookError
from opslib.host import wire
from opslib.inventory import Inventory
from opslib.result import StepResult
from opslib.step import Step

__all__ = ["Learned"]


class Learned:
    """The secrets of one playbook; `texts` is for those that the steps' reckoning meets."""

    def __init__(self, inventory: Inventory, loader: core.Loader, variables: core.Variables) -> None:
        self.texts: set[str] = set()
        self._inventory = inventory
        self._loader = loader
        self._variables = variables
        self._places: set[str] = set()
        self._decrypted: dict[str, str | None] = {}

    def all(self) -> frozenset[str]:
        """Return every text that is to be masked."""
        return frozenset(self.texts | self._loader.secrets | self._inventory.secrets)

    def hidden(self) -> Hidden:
        """Return them for a run in which more may be learnt."""
        return Hidden(self.all(), places=self._places, read=self.read)

    def mask(self, text: str) -> str:
        """Return a text without them."""
        masked: str = wire.mask(text, self.all())
        return masked

    def masked(self, work: Mapping[str, HostWork]) -> dict[str, HostWork]:
        """Hide them in what is known of hosts' steps beforehand, and in the names of steps."""
        secrets = self.all()
        if not secrets:
            return dict(work)
        return {name: replace(each, items=_masked(each.items, secrets)) for name, each in work.items()}

    def of_play(self, each: Prepared) -> None:
        """Learn what a play holds whose steps are not reckoned, because it goes to ansible-runner."""
        with core.reading(PlaybookError, f"play {each.play.get_name()!r}{place_of(each.play)}"):
            for host in itertools.chain.from_iterable(each.batches):
                variables = self._variables.get_vars(play=each.play, host=host)
                engine = core.Engine(loader=self._loader, variables=variables)
                self.texts.update(self._inventory.secrets_of(str(host.name), variables, engine))
            for block in (*each.blocks, *each.play.handlers):
                for task in block.get_tasks():
                    self.texts.update(core.encrypted([task.args, task.vars], self._decrypted))
                    if obstacles.includes_variables(task) and self._of_files(each, task):
                        self._places.add(str(task.get_path()))

    def read(self, path: Path) -> Iterable[str]:
        """Return what is encrypted in a file or folder."""
        with self._inventory.active():
            return included.encrypted_in(path, self._loader, self._decrypted)

    def _of_files(self, each: Prepared, task: Any) -> bool:
        """Learn what is encrypted in the files that a task is to read; return whether all of them are known now."""
        hosts = itertools.chain.from_iterable(each.batches)
        contexts = (self._variables.get_vars(play=each.play, host=host, task=task) for host in hosts)
        try:
            for path in included.files_of(task, self._loader, contexts):
                self.texts.update(self.read(path))
        except core.AnsibleError:
            return False
        return True


def _masked(items: Sequence[Step | StepResult], secrets: frozenset[str]) -> tuple[Step | StepResult, ...]:
    texts = [[item.name, getattr(item, "reason", ""), getattr(item, "error", None)] for item in items]
    found: list[Step | StepResult] = []
    for item, (name, reason, error) in zip(items, wire.mask(texts, secrets), strict=True):
        if isinstance(item, StepResult):
            found.append(replace(item, name=name, reason=reason, error=error))
        else:
            found.append(item if item.name == name else replace(item, name=name))
    return tuple(found)
