"""ansible-core's errors, turned into ours."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleError, AnsibleFileNotFound

from opslib.engines.ansible_core.values import origin
from opslib.errors import UsageError

__all__ = ["in_words", "reading"]


@contextlib.contextmanager
def reading(kind: type[UsageError], doing: str) -> Iterator[None]:
    """Turn ansible-core's errors into ours."""
    try:
        yield
    except UsageError:
        raise
    except AnsibleError as error:
        raise kind(f"{doing}: {in_words(error)}") from error
    except RecursionError as error:
        raise kind(f"{doing}: it refers to itself without end") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError, re.error) as error:
        raise kind(f"{doing}: {type(error).__name__}: {error}") from error


def in_words(error: BaseException, *, place: bool = True) -> str:
    """Return an error of ansible-core on one line, with the file and line that it is about."""
    missing = _cause(error, AnsibleFileNotFound)
    if missing is not None and getattr(missing, "file_name", None):
        text = f"there is no file {missing.file_name}"
    else:
        text = " ".join(str(error).split())
    text = re.sub(r"<class '[\w.]*?_?AnsibleTagged(\w+)'>", lambda found: found[1].lower(), text)
    if "vault secrets" in text:
        text = f"{text.rstrip('.')}: give the file that holds the vault password"
    where = _place_of(error) if place else ""
    return f"{text} ({where})" if where and where not in text else text


def _cause(error: BaseException | None, kind: type[BaseException]) -> Any:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__
    return error


def _place_of(error: BaseException | None) -> str:
    found = ""
    while error is not None:
        path, line = origin(getattr(error, "obj", None))
        if path and (line or not found):
            found = f"{path}:{line}" if line else path
        elif shown := re.match(r"Origin: (/[^\n]+)", getattr(error, "_formatted_source_context", None) or ""):
            found = found or shown[1]
        error = error.__cause__ or error.__context__
    return found
