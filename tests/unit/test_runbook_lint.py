"""Runbooks that nobody has reviewed, or that have gaps, are told of."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.cli.main import main
from opslib.runbook_lint import lint
from support.fake_library import FakeLibrary

TODAY = dt.date(2026, 11, 27)


def words(text: str) -> list[tuple[int, str]]:
    return [(fault.line, fault.words) for fault in lint(text, TODAY)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("- **Next Review**: 2026-05-11", "the review was due on 2026-05-11, 200 days ago"),
        ("**Next Review:** December 7, 2025  ", "the review was due on 2025-12-07, 355 days ago"),
        ("| Next review: | 26 Nov 2026 |", "the review was due on 2026-11-26, 1 day ago"),
        ("Next Review: 2026-11-27", None),
        ("Next Review: 2027-01-31", None),
        ("**Next Review:** when there is time", "the date of the next review cannot be read: when there is time"),
        ("Next Review:", "the date of the next review cannot be read: it is empty"),
    ],
)
def test_reviews(row: str, said: str | None) -> None:
    assert words(f"# Title\n{row}\n") == ([(2, said)] if said else [])


def test_a_runbook_without_a_plan_to_review_it() -> None:
    assert [line for line, _words in words("# Title\n- **Last Updated**: 2026-02-11\n")] == [0]


@pytest.mark.parametrize(
    ("row", "gaps"),
    [
        ("| Backend | TBD | TBD |", "TBD"),
        ("curl https://your-api.com/health", "your-api.com"),
        ("https://vercel.com/[your-team]/[your-project]/x", "[your-team], [your-project]"),
        ("vercel promote [previous-deployment-url]", "[previous-deployment-url]"),
        ("cd /path/to/app", "/path/to/"),
        ("promote [deployment-url] of [latest]", "[deployment-url], [latest]"),
        ("git checkout <commit-hash> uuid-here", "<commit-hash>, uuid-here"),
        ("{...with new env vars...}", "{...with new env vars...}"),
        ("cd /Users/anna/code", "/Users/anna/"),
        ("- Primary: [Name] - [Phone]", "[Name], [Phone]"),
        ("call +1-555-0100 or ops@example.com", "+1-555-0100, ops@example.com"),
    ],
)
def test_placeholders(row: str, gaps: str) -> None:
    assert words(f"{row}\nNext Review: 2027-01-31") == [(1, f"is a placeholder: {gaps}")]


def test_what_is_no_placeholder() -> None:
    text = "- [Your rights](#rights)\n- [ ] Review error logs\nsee https://example.com/x, /srv/path/to/x, yourself-made.com"
    assert words(f"{text}\nNext Review: 2027-01-31") == []


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert all(fault.words for fault in lint(text, TODAY))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text("# A\nNext Review: 2999-01-31\n")
    bad.write_text("# B\nNext Review: 2001-01-31\nTBD \x1b[31m\n")
    assert main(["runbook", "lint", str(good)], FakeLibrary()) == 0
    assert capsys.readouterr().out == ""
    assert main(["runbook", "lint", str(good), str(bad)], FakeLibrary()) == 2
    told = capsys.readouterr().out
    assert "bad.md:2: the review was due on 2001-01-31" in told
    assert "bad.md:3: is a placeholder: TBD" in told
    assert main(["runbook", "lint", str(tmp_path / "none.md")], FakeLibrary()) == 1
    assert "none.md cannot be read: No such file or directory" in capsys.readouterr().err
    bad.write_bytes(b"\xff\xfe")
    assert main(["runbook", "lint", str(bad)], FakeLibrary()) == 1
    assert main(["runbook", "lint"], FakeLibrary()) != 0
