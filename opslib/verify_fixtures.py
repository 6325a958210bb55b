"""A pytest plugin for the testinfra suites of roles: `opslib verify` uses it, and so does `-p opslib.verify_fixtures`.

`variables`: the variables of the host under test; `as_root`: lets the commands of a test run as root; `check_answer`: a
function that fails when a URL does not answer the host as it should.

Where plain pytest runs a suite, variables come from testinfra's ansible backend (`--hosts=ansible://web`), or from
`--variables FILE`, a YAML file with the variables of all hosts; without either, a role's defaults are all there is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

__all__ = ["as_root", "check_answer", "variables"]

_NOT_ASKED = pytest.StashKey[list[str]]()
_ASK = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=10)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, flush=True)
sys.stdout.buffer.write(answer.read(1 << 20))
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--variables`."""
    parser.getgroup("opslib").addoption(
        "--variables", metavar="FILE", help="YAML file with variables that suites of roles find in `variables`"
    )


@pytest.fixture(scope="session")
def _handed_over() -> dict[str, dict[str, Any]] | None:
    number = os.environ.pop("OPSLIB_VERIFY_FD", "")
    if not number:
        return None
    with os.fdopen(int(number), encoding="utf-8") as pipe:
        loaded: dict[str, dict[str, Any]] = json.load(pipe)
    return loaded


@pytest.fixture
def variables(
    request: pytest.FixtureRequest, host: Any, _handed_over: dict[str, dict[str, Any]] | None
) -> dict[str, Any]:
    """Return the variables of the host under test: the role's defaults, overlaid by those of the inventory."""
    if _handed_over is not None:
        return _handed_over[host.backend.get_pytest_id()]
    found = _read(request.path.parent.parent / "defaults" / "main.yml")
    if host.backend.NAME == "ansible":
        found.update(host.ansible.get_variables())
    if given := request.config.getoption("--variables"):
        found.update(_read(Path(given)))
    return found


@pytest.fixture
def as_root(host: Any) -> Iterator[None]:
    """Commands of the test run as root: by sudo, where whoever logs in is somebody else."""
    if host.check_output("id -u") == "0":
        yield
        return
    with host.sudo():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Say of a test that did not ask all URLs that it was skipped: what is not looked at is not as promised."""
    result = yield
    if left := pyfuncitem.stash.get(_NOT_ASKED, []):
        pytest.skip(f"only the task can ask {', '.join(left)}: headers could be seen as arguments of a command")
    return result


@pytest.fixture
def check_answer(request: pytest.FixtureRequest, host: Any) -> Callable[[Mapping[str, Any] | str], None]:
    """`check_answer(check)` asks a URL from the host: its status and JSON must be as the check says (see http_check).

    Checks that need headers, redirects or a private authority are left to the task, and the test is skipped when it has
    asked the others: as arguments of a command, secrets would be seen.
    """

    def check_one(check: Mapping[str, Any] | str) -> None:
        asked = {"url": check} if isinstance(check, str) else check
        if any(asked.get(key) for key in ("request_headers", "redirects", "ca_file")):
            request.node.stash.setdefault(_NOT_ASKED, []).append(asked["url"])
            return
        done = host.run("python3 -c %s %s", _ASK, asked["url"])
        assert done.rc == 0, f"{asked['url']} does not answer: {done.stderr.strip().splitlines()[-1:]}"
        status, _, body = done.stdout.partition("\n")
        wanted = asked.get("status", 200)
        assert int(status) in (wanted if isinstance(wanted, list) else [wanted]), f"{asked['url']} answers {status}"
        expected = asked.get("json")
        assert expected is None or _holds(expected, json.loads(body)), f"{asked['url']} answers {body[:300]}"

    return check_one


def _holds(expected: Any, found: Any) -> bool:
    """Whether a JSON value holds what is expected; mappings may hold more."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(key in found and _holds(value, found[key]) for key, value in expected.items())
    return bool(expected == found)


def _read(path: Path) -> dict[str, Any]:
    import yaml

    return dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}
