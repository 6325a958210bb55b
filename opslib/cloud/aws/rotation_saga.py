"""The way of a secret from its old value to a new one, or back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opslib.cloud.aws.rotation import Standing, Store
from opslib.cloud.aws.rotation_proof import prove_by_program, run_tasks
from opslib.host.task import TaskError

if TYPE_CHECKING:
    from opslib.cloud.tasks.secret_rotation import SecretRotation

__all__ = ["Saga"]


class Saga:
    """Stages, proves, puts in force, lets take up, and confirms; whatever fails is taken back as far as it came."""

    def __init__(self, task: SecretRotation, store: Store) -> None:
        self._task = task
        self._store = store

    def carry_out(self, standing: Standing) -> None:
        """Go the whole way, from where the secret stands. Raises TaskError when the old value is in force again."""
        if standing.promoted:
            self._finish(standing, self._task.part(self._store.current()))
        else:
            self._rotate(standing)

    def _rotate(self, standing: Standing) -> None:
        task, store = self._task, self._store
        staged = standing.pending is not None
        if staged and task.value is not None and task.part(store.pending()) != task.value:
            store.withdraw()
            staged = False
        if not staged:
            task.say(f"staging a new value of {task.secret} in {store.where}")
            store.stage(task.made())
        secret = task.part(store.pending())
        try:
            self._prove(secret)
        except TaskError as error:
            task.renew()
            store.withdraw()
            raise TaskError(f"the new value of {task.secret} was withdrawn, the old one stays: {error}") from error
        task.renew()
        task.say(f"putting the new value of {task.secret} in force")
        try:
            store.promote(standing)
        except TaskError as error:
            raise self._undone(standing, error, taken_up=False) from error
        self._finish(standing, secret)

    def _prove(self, secret: str) -> None:
        task = self._task
        if task.check_command or task.checks:
            task.say(f"proving the new value of {task.secret}")
        if task.check_command:
            prove_by_program(task.check_command, secret, task.check_timeout)
        run_tasks(task.checks, task.own, secret, task.tell, task.secrets)

    def _finish(self, standing: Standing, secret: str) -> None:
        """Let the consumers take up the value in force, and confirm it, or go back."""
        task = self._task
        if task.consumers:
            task.say(f"letting {len(task.consumers)} consumers take up the new value of {task.secret}")
        try:
            run_tasks(task.consumers, task.own, secret, task.tell, task.secrets)
        except TaskError as error:
            raise self._undone(standing, error, taken_up=True) from error
        task.renew()
        self._store.confirm()

    def _undone(self, standing: Standing, error: TaskError, *, taken_up: bool) -> TaskError:
        """Put the old value in force again, let the consumers take that up, and return the error that says so."""
        task = self._task
        task.renew()
        task.say(f"putting the old value of {task.secret} in force again")
        try:
            self._store.back(standing)
            old = task.part(self._store.current())
            if taken_up:
                run_tasks(task.consumers, task.own, old, task.tell, task.secrets)
        except TaskError as second:
            return TaskError(f"{error}; and going back failed, too: {second}")
        return TaskError(f"{task.secret} is as before, for the new value did not prove itself: {error}")
