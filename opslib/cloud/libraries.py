"""Loading the providers' libraries: only when they are used, and with a word on how to install one that is missing."""

from __future__ import annotations

import importlib
from typing import Any

from opslib.cloud.errors import MissingLibraryError

__all__ = ["load"]


def load(module: str, extra: str) -> Any:
    """Import a module of an extra. Raises MissingLibraryError."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != package and error.name != module:
            raise MissingLibraryError(f"{module} cannot be loaded: {error}; pip install 'opslib[{extra}]'") from error
        raise MissingLibraryError(f"{package} is not installed; pip install 'opslib[{extra}]'") from error
