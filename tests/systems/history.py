"""The sample service's git repository with its releases, good and bad: `python -m systems.history FOLDER`.

The same input gives the same commits, to the last digit: dates and names are fixed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["BAD", "GOOD", "Release", "make"]

SOURCE = Path(__file__).with_name("ai_cost_dashboard")
GOOD = ("v1.0.0", "v1.1.0", "v1.2.0")
BAD = (
    "bad/crash-at-start",
    "bad/crash-after-3s",
    "bad/crash-after-30s",
    "bad/hang",
    "bad/error-500",
    "bad/degraded",
    "bad/migration",
    "bad/package",
    "bad/conflict",
    "bad/import",
    "bad/environment",
)
"""Branches and tags of these names; each begins at v1.2.0."""

Release = Mapping[str, str]

_ME = {"NAME": "Sample Developer", "EMAIL": "developer@example.com"}
_PROVIDERS = """CREATE TABLE providers (id text PRIMARY KEY, title text NOT NULL);
INSERT INTO providers VALUES ('anthropic', 'Anthropic'), ('openai', 'OpenAI');
CREATE UNIQUE INDEX daily_costs_key ON daily_costs (day, provider);
"""
_BUDGETS = """ALTER TABLE users ADD COLUMN budget_usd numeric(10, 2) NOT NULL DEFAULT 100;
CREATE MATERIALIZED VIEW user_totals AS SELECT user_id, sum(cost_usd) AS cost_usd FROM cost_records GROUP BY user_id;
"""
_BROKEN = """CREATE TABLE invoices (id bigserial PRIMARY KEY, user_id text REFERENCES users (id));
ALTER TABLE invoices ADD COLUMN amount money CHECK (amount > 0);
INSERT INTO invoices (user_id, amount) SELECT id, total FROM users;
"""


def make(folder: Path, source: Path = SOURCE) -> dict[str, str]:
    """Make the bare repository `folder` (which must not exist) and return its commits by tag."""
    work = folder.with_name(f"{folder.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    repository = _Repository(work)
    repository.git("init", "-q", "-b", "main")
    repository.commit("v1.0.0", "First release")

    repository.change("dashboard/release.py", '"1.0.0"', '"1.1.0"')
    repository.write("migrations/002_providers.sql", _PROVIDERS)
    repository.write("migrations/002_providers.down.sql", "DROP INDEX daily_costs_key;\nDROP TABLE providers;\n")
    repository.commit("v1.1.0", "Keep a table of providers")

    repository.change("dashboard/release.py", '"1.1.0"', '"1.2.0"')
    repository.change("requirements.txt", "trendcast==1.0", "trendcast==1.1")
    repository.write("migrations/003_budgets.sql", _BUDGETS)
    repository.write(
        "migrations/003_budgets.down.sql",
        "DROP MATERIALIZED VIEW user_totals;\nALTER TABLE users DROP COLUMN budget_usd;\n",
    )
    repository.commit("v1.2.0", "Give every user a budget")

    for name in BAD:
        repository.git("checkout", "-q", "-b", name, "v1.2.0")
        repository.change("dashboard/release.py", '"1.2.0"', '"1.3.0"')
        _spoil(repository, name)
        repository.commit(f"{name.partition('/')[2]}", f"Release of {name}")
    repository.git("checkout", "-q", "main")
    repository.git("clone", "-q", "--bare", str(work), str(folder), cwd=work.parent)
    shutil.rmtree(work)
    return repository.commits


def _spoil(repository: _Repository, name: str) -> None:
    faults = {
        "bad/crash-at-start": "crash_at_start",
        "bad/crash-after-3s": "crash_after=3",
        "bad/crash-after-30s": "crash_after=30",
        "bad/hang": "hang",
        "bad/error-500": "error500",
        "bad/degraded": "degraded",
    }
    if name in faults:
        repository.change("dashboard/release.py", 'FAULTS = ""', f'FAULTS = "{faults[name]}"')
    elif name == "bad/migration":
        repository.write("migrations/004_invoices.sql", _BROKEN)
    elif name == "bad/package":
        repository.change("requirements.txt", "trendcast==1.1", "trendcast==1.1\nno-such-package-anywhere==4.2")
    elif name == "bad/conflict":
        repository.change("requirements.txt", "trendcast==1.1", "trendcast==1.1\nstarlette<0.1")
    elif name == "bad/import":
        repository.change("requirements.txt", "trendcast==1.1", "trendcast==2.0")
    elif name == "bad/environment":
        repository.change("dashboard/release.py", '"ANTHROPIC_API_KEY")', '"ANTHROPIC_API_KEY", "BILLING_API_KEY")')


class _Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commits: dict[str, str] = {}
        self._clock = 1_767_261_600  # a new year's day

    def git(self, *words: str, cwd: Path | None = None) -> str:
        people = {f"GIT_{who}_{what}": _ME[what] for who in ("AUTHOR", "COMMITTER") for what in _ME}
        dates = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), f"{self._clock} +0000")
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *words], cwd=cwd or self.folder, env={**env, **people, **dates}, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def change(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, (path, old)
        self.write(path, text.replace(old, new))

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text)

    def commit(self, tag: str, message: str) -> None:
        self._clock += 86400
        self.git("add", "--all")
        self.git("commit", "-q", "-m", message)
        self.git("tag", tag)
        self.commits[tag] = self.git("rev-parse", "HEAD")


if __name__ == "__main__":
    for tag, commit in make(Path(sys.argv[1]).absolute()).items():
        print(commit, tag)
