"""Running tasks on the Vercel fake."""

from __future__ import annotations

import pytest

from services.vercel import Site, Vercel
from support.cloud import Ran, run

__all__ = ["VERCEL", "kept", "on_vercel"]

VERCEL = {"project": "dashboard", "team": "acme", "wait": 8, "poll": 0.002}


def on_vercel(name: str, *, check: bool = False, site: Site | None = None, **more: object) -> Ran:
    """Run a task for the fake's project; site: the page to look at afterwards."""
    page = {"url": site.url + "/", "contains": "served by", "page_wait": 1} if site else {}
    return run(name, {**VERCEL, **page, **more}, check=check)


@pytest.fixture
def kept(vercel: Vercel, modelled: list[object]):
    """Keep what our own client exchanged with the fake, for the check against the models."""
    yield
    ours = [each for each in vercel.exchanges if each.call.headers.get("user-agent", "").startswith("python-requests")]
    modelled.extend(ours)
