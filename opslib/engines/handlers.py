"""Which steps notify which handlers, as Ansible's strategies work it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from opslib.engines import ansible_core as core
from opslib.engines.contexts import Contexts
from opslib.engines.sheet import Sheet
from opslib.errors import PlaybookError

__all__ = ["Flush", "Handlers", "Pending"]


class Pending:
    """Notifications that wait for the next flush: a handler's name or topic, and the steps that give it."""

    def __init__(self) -> None:
        self.steps: dict[str, list[int]] = {}
        self.carried: dict[int, list[int]] = {}

    def add(self, names: Iterable[str], ids: Sequence[int]) -> None:
        """Note that steps notify handlers, when they change something."""
        for name in names:
            self.steps.setdefault(name, []).extend(ids)


class Flush:
    """One flush for one host. Handlers notify one another: later ones in this flush, others in the next."""

    def __init__(self, handlers: Handlers, pending: Pending) -> None:
        self._handlers = handlers
        self._ids: dict[int, dict[int, None]] = {key: dict.fromkeys(ids) for key, ids in pending.carried.items()}
        for name, ids in pending.steps.items():
            for handler in handlers.named(name):
                self._ids.setdefault(id(handler), {}).update(dict.fromkeys(ids))

    def is_notified(self, handler: Any) -> bool:
        """Whether any step notifies a handler."""
        return bool(self._ids.get(id(handler)))

    def take(self, handler: Any) -> tuple[int, ...]:
        """Return the steps that notify a handler, and begin anew with it."""
        return tuple(sorted(self._ids.pop(id(handler))))

    def more(self, pending: Pending) -> None:
        """Take in what a handler notifies in its turn."""
        for name, ids in pending.steps.items():
            for handler in self._handlers.named(name):
                self._ids.setdefault(id(handler), {}).update(dict.fromkeys(ids))

    def left(self) -> Pending:
        """Return what waits for the next flush."""
        pending = Pending()
        pending.carried = {key: list(ids) for key, ids in self._ids.items()}
        return pending


class Handlers:
    """The handlers of a play."""

    def __init__(self, play: Any, contexts: Contexts, engine: core.Engine) -> None:
        self._play = play
        self._contexts = contexts
        self._engine = engine
        self._found: dict[str, list[Any]] = {}

    def refresh(self) -> None:
        """Look again: an included role has brought its handlers."""
        self._found.clear()

    def all(self) -> list[Any]:
        """Return all handlers in the order in which they run."""
        return [handler for block in self._play.handlers for handler in block.block]

    def due(self, pending: Pending) -> Flush:
        """Return what is to be flushed for a host."""
        return Flush(self, pending)

    def check(self, names: Mapping[str, None], sheet: Sheet) -> None:
        """Raise PlaybookError when a name is that of no handler."""
        for name in names:
            if not self.named(name) and core.C.ERROR_ON_MISSING_HANDLER:
                raise PlaybookError(
                    f"{sheet.subject()} notifies {ascii(name)[:80]}, but no handler has that name or listens to it"
                    f"{sheet.where()}"
                )

    def named(self, name: str) -> list[Any]:
        """Return the handlers that a notification reaches: the last of that name, and all that listen to it.

        As `StrategyBase.search_handlers_by_notification`, which needs a whole strategy around it.
        """
        if name not in self._found:
            self._found[name] = list(self._search(name))
        return self._found[name]

    def _search(self, name: str) -> Iterator[Any]:
        handlers = [handler for block in reversed(self._play.handlers) for handler in block.block]
        for handler in handlers:
            if (
                handler.name
                and self._template_name(handler)
                and name
                in (
                    handler.name,
                    handler.get_name(include_role_fqcn=False),
                    handler.get_name(include_role_fqcn=True),
                )
            ):
                yield handler
                break
        seen = set()
        for handler in handlers:
            if name in handler.listen:
                if handler.name and handler.name in seen:
                    continue
                seen.add(handler.name)
                yield handler

    def _template_name(self, handler: Any) -> bool:
        if not handler.cached_name:
            before = self._engine.available_variables
            self._engine.available_variables = self._contexts.fetch(None, handler)
            try:
                handler.name = self._engine.template(handler.name)
            except core.AnsibleError:
                return False
            finally:
                self._engine.available_variables = before
            handler.cached_name = True
        return True
