"""An image's key stands for its content, and the cache folder is where the operator says."""

from __future__ import annotations

from pathlib import Path

import pytest

from opslib.lab import customise
from opslib.lab.image import Image
from opslib.lab.places import cache_folder


def test_same_wishes_same_key() -> None:
    assert Image("bookworm", ("curl",)).key == Image("bookworm", ("curl",)).key
    assert Image("bookworm", ("python3",)).key == Image("bookworm", ()).key  # has it anyway


@pytest.mark.parametrize("other", [Image("trixie", ()), Image("bookworm", ("curl",)), Image("bookworm", ("git",))])
def test_other_wishes_other_key(other: Image) -> None:
    assert other.key != Image("bookworm", ()).key


def test_key_is_of_the_customisation_too(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Image("bookworm", ()).key
    monkeypatch.setattr(customise, "MASKED", (*customise.MASKED, "cron.service"))
    assert Image("bookworm", ()).key != before


def test_key_is_a_plain_file_name() -> None:
    key = Image("bookworm", ()).key
    assert key.startswith("bookworm-")
    assert key.replace("-", "").isalnum()
    assert Image("bookworm", ()).tarball(Path("/c")) == Path("/c", f"{key}.tar.zst")


def test_cache_folder_parameter_then_environment_then_home(tmp_path: Path) -> None:
    environ = {"OPSLIB_LAB_CACHE": "/from/environment"}
    assert cache_folder(tmp_path, environ) == tmp_path
    assert cache_folder(None, environ) == Path("/from/environment")
    assert cache_folder(None, {"OPSLIB_LAB_CACHE": ""}) == Path("~/.cache/opslib/lab").expanduser()
