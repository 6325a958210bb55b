"""What a user wants to see of a run, and where its report is to go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opslib.cli.screen import ColorChoice

__all__ = ["Presentation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How a run is shown and where its report goes.

    json, junit: files, `-` for standard output (JSON only), None for nowhere; diff: show differences; verbose: show
    every step; color: whether in colour.
    """

    json: str | None = None
    junit: str | None = None
    diff: bool = False
    verbose: bool = False
    color: ColorChoice = "auto"
