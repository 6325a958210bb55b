"""What people read: told once, in order, the worst last, and nothing garbled."""

from __future__ import annotations

import dataclasses
import unicodedata

import pytest
from hypothesis import given, settings

from opslib.output.diff import MAX_LINES, diff_lines
from opslib.output.facts import fact_lines
from opslib.output.summary import last_line, summary
from opslib.result import Change, HostResult, Report, Status
from support.reports import HOSTILE, hostile, ordinary, report, reports, step

ORDINARY = """\
Skipped
  Old logs are archived  web1..web6, web8..web10: nothing to loop over

Found
  Disks have room  web1..web10: / is 41..86% full

Changed
  nginx is running   web1..web6, web8..web10: restart nginx.service
                     web7: restart nginx.service (then the step failed)
  Swappiness is low  web1..web6, web8..web10: set vm.swappiness

Warnings
  play 2 goes to ansible-runner, because it registers a result
  Disks have room  web3: / is 86% full

Unreachable
  db1, db2: cannot connect to <address> port 22: timed out; is the host up?

Failed
  nginx is running  web7: nginx.service does not stay up: 3 restarts in 10 s
                    look at its log, mend it, run again
                    | log: bind() failed, exit-code
                    | restarts: 3

12 hosts: 9 changed, 1 failed, 2 unreachable in 12 s (exit code 2: some host failed)"""

CHECKED = """\
Would change
  nginx is running   web1..web6, web8..web10: restart nginx.service
                     web7: restart nginx.service (then the step failed)
  Swappiness is low  web1, web3, web5, web9: perhaps: set vm.swappiness
                     -60
                     +10
                     web2, web4, web6, web8, web10: set vm.swappiness
                     -60
                     +10"""

VERBOSE = """\
web7: failed  2.2 s
    ok          Disks have room  disk_usage
                / is 47% full
                used_percent: 40
    failed      nginx is running  service
                nginx.service does not stay up: 3 restarts in 10 s
                look at its log, mend it, run again
                restart nginx.service
                log: bind() failed, exit-code
                restarts: 3"""


def rendered(made: Report, **how: bool) -> str:
    """The whole summary as text."""
    return "\n".join(row.text for row in [*summary(made, **how), last_line(made)])


def test_hosts_that_had_no_turn_are_named() -> None:
    """A rolling run that stopped: who still has the old version is what counts."""
    late = "not started: the run had ended before its turn came"
    failed = HostResult.of_steps("web1", [step("Deploy", Status.FAILED, error="no")])
    half = dataclasses.replace(HostResult.of_steps("web2", [step("Look", Status.OK)]), error=late)
    rest = [HostResult(name=f"web{number}", status=Status.SKIPPED, error=late) for number in (3, 4, 5)]
    text = "\n".join(row.text for row in summary(report(failed, half, *rest)))
    assert f"Not done\n  web2..web5: {late}\n\nFailed\n" in text


def test_an_ordinary_report() -> None:
    assert rendered(ordinary()) == ORDINARY


def test_check_mode_says_would_and_perhaps_and_diff_shows_both_sides() -> None:
    text = rendered(ordinary(check=True), diff=True)
    assert CHECKED in text
    assert text.endswith(
        "Check, nothing was changed. 12 hosts: 9 would change, 1 failed, 2 unreachable in 12 s"
        " (exit code 2: some host failed)"
    )


def test_verbose_tells_every_step_of_every_host() -> None:
    text = rendered(ordinary(), verbose=True)
    assert VERBOSE in text
    assert text.count("Disks have room  disk_usage") == 10
    assert "\nFound\n" not in text
    assert "\nFailed\n" in text


@pytest.mark.parametrize(
    "reason", ["there are no items to loop over", "the condition is false: x is defined", "No items in the list"]
)
def test_what_a_playbook_skips_by_its_own_words_is_told_in_full_only(reason: str) -> None:
    """Most runs skip something; that must not push away what matters."""
    skips = step("Rarely", status=Status.SKIPPED, reason=reason)
    given = report(HostResult.of_steps("web1", [skips]))
    assert "Rarely" not in rendered(given)
    assert "Rarely" in rendered(given, verbose=True)


def test_more_warnings_of_one_host_are_not_called_hosts() -> None:
    """What is left out is counted as what it is."""
    noisy = step("Noisy", warnings=tuple(f"{word} is odd" for word in "abcdefghi"))
    assert "... and 4 more; -v shows them" in rendered(report(HostResult.of_steps("web1", [noisy])))


def test_the_worst_comes_last() -> None:
    text = rendered(ordinary())
    titles = ["Skipped", "Found", "Changed", "Warnings", "Unreachable", "Failed", "12 hosts"]
    places = [text.index(title) for title in titles]
    assert places == sorted(places)


def test_what_all_hosts_say_names_none() -> None:
    hosts = [HostResult.of_steps(f"web{n}", [step("Disks", reason="there is room")]) for n in range(1, 4)]
    assert rendered(report(*hosts)).splitlines()[:2] == ["Found", "  Disks  there is room"]


def test_many_different_words_are_cut_short_but_for_verbose_and_failures() -> None:
    words = ["apple", "beech", "cedar", "date", "elm", "fig", "gum", "hazel"]
    found = [HostResult.of_steps(f"h{word}", [step("Tree", reason=word)]) for word in words]
    text = rendered(report(*found))
    assert "... and 3 more hosts in other words; -v shows them" in text
    failed = [HostResult.of_steps(f"h{word}", [step("Tree", Status.FAILED, error=word)]) for word in words]
    text = rendered(report(*failed))
    assert all(f"h{word}: {word}" in text for word in words)


def test_many_scattered_hosts_are_counted() -> None:
    hosts = [HostResult.of_steps(f"h{n}", [step("s", reason="fine" if n % 2 else "good")]) for n in range(100)]
    assert "  s  50 hosts (h0, h2, h4 and 47 more): good" in rendered(report(*hosts))


def test_roles_are_left_out_of_names_where_that_is_clear() -> None:
    steps = [step("r : One", reason="a"), step("r : Two", reason="b"), step("q : Two", reason="c")]
    lines = rendered(report(HostResult.of_steps("h", steps))).splitlines()
    assert [line.split("  ")[1] for line in lines[1:4]] == ["One", "r : Two", "q : Two"]


def test_evidence_of_one_host_stands_for_several_and_says_so() -> None:
    hosts = [
        HostResult.of_steps(f"w{n}", [step("s", Status.FAILED, error="it broke", data={"log": [f"line of w{n}"]})])
        for n in (1, 2)
    ]
    text = rendered(report(*hosts))
    assert "w1, w2: it broke\n     from w1:\n     | log: line of w1" in text
    assert "line of w2" not in text


def test_ignored_failures_are_warnings() -> None:
    made = report(HostResult.of_steps("h", [step("s", Status.FAILED, error="no", ignored=True)]))
    assert "Warnings\n  s  failed, which was to be ignored: no\n" in rendered(made)
    assert "Failed" not in rendered(made)
    assert rendered(made).endswith("(exit code 0: all well)")


def test_a_step_cut_short_may_have_changed_something() -> None:
    made = report(HostResult.of_steps("h", [step("s", Status.FAILED, changed=True, error="time is up")]))
    assert "perhaps something, before the step was cut short" in rendered(made)


def test_the_last_line_says_what_the_exit_code_means() -> None:
    fine = report(HostResult.of_steps("h", [step("s")]))
    gone = report(HostResult(name="h", status=Status.UNREACHABLE, error="no"))
    assert last_line(fine).text == "1 host: 1 ok in 12 s (exit code 0: all well)"
    assert last_line(gone).text.endswith("(exit code 4: some host was unreachable)")
    stopped = dataclasses.replace(fine, interrupted=True)
    assert last_line(stopped).text.startswith("Interrupted. ")
    assert last_line(stopped).text.endswith("(exit code 130: interrupted)")


def is_calm(text: str) -> bool:
    """Whether a text holds nothing that acts on a terminal."""
    return not any(unicodedata.category(char)[0] == "C" or char in "\u2028\u2029" for char in text)


def test_a_hostile_report_is_shown_escaped() -> None:
    for how in ({}, {"diff": True}, {"verbose": True}):
        rows = [*summary(hostile(), **how), last_line(hostile())]
        assert all(is_calm(row.text) for row in rows)
        assert any("\\x1b[2J\\x1b]0;pwned\\x07" in row.text for row in rows)
        assert any("[bold red]x[/]" in row.text for row in rows)


def test_a_hostile_diff() -> None:
    lines = diff_lines(Change(kind="modify", summary="s", before=HOSTILE, after={HOSTILE: [HOSTILE]}))
    assert all(is_calm(line) for line in lines)


@settings(max_examples=50)
@given(reports())
def test_any_report(made: Report) -> None:
    for how in ({"diff": True}, {"verbose": True}):
        assert all(is_calm(row.text) for row in [*summary(made, **how), last_line(made)])


def test_diff_of_texts_of_values_and_of_nothing() -> None:
    def diff(before: object, after: object) -> list[str]:
        return diff_lines(Change(kind="modify", summary="s", before=before, after=after))

    assert diff(None, None) == []
    assert diff("a", "b") == ["-a", "+b"]
    assert diff(60, 10) == ["-60", "+10"]
    assert diff(None, "new\n") == ["+new"]
    assert diff("old", None) == ["-old"]
    assert diff("(hidden)", "(hidden)") == [" (no difference in what may be shown)"]
    assert diff("a\nb\nc\n", "a\nB\nc\n") == ["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]
    assert diff({"b": 1, "a": 2}, {"a": 2, "b": 3}) == [
        "@@ -1,4 +1,4 @@",
        " {",
        '   "a": 2,',
        '-  "b": 1',
        '+  "b": 3',
        " }",
    ]


def test_a_long_diff_is_cut() -> None:
    long = "\n".join(map(str, range(1000)))
    lines = diff_lines(Change(kind="create", summary="s", after=long))
    assert len(lines) == MAX_LINES + 1
    assert lines[-1] == "@ 801 more lines; the JSON report has them all @"
    huge = "\n".join(map(str, range(5000)))
    assert diff_lines(Change(kind="modify", summary="s", before=huge, after=huge + "1")) == [
        "-(5000 lines)",
        "+(5000 lines, too many to compare)",
    ]


def test_facts_are_indented_like_yaml() -> None:
    data = {
        "plain": "text",
        "yes": True,
        "nothing": None,
        "none": [],
        "words": ["a", "b"],
        "log": ["x" * 40, "y" * 40],
        "block": "one\ntwo\n",
        "deep": {"a": {"b": 1}},
        "rows": [{"path": "/", "used": 1}, {"path": "/var", "used": 2}],
    }
    assert fact_lines(data, most=99) == [
        "plain: text",
        "yes: yes",
        "nothing: none",
        "none: none",
        "words: a, b",
        "log:",
        "  " + "x" * 40,
        "  " + "y" * 40,
        "block:",
        "  one",
        "  two",
        "deep:",
        "  a:",
        "    b: 1",
        "rows:",
        "  - path /, used 1",
        "  - path /var, used 2",
    ]


def test_long_facts_give_way_before_short_ones() -> None:
    data = {"log": [f"{'line':40} {n}" for n in range(100)], "short": "stays"}
    first, last = fact_lines(data, most=10), fact_lines(data, most=10, last=True)
    assert len(first) <= 12
    assert first[-1] == last[-1] == "short: stays"
    assert first[1].endswith(" 0")
    assert "more lines" in first[-2]
    assert last[-2].endswith(" 99")
    assert "more lines" in last[1]
