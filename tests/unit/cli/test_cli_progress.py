"""Where a run stands, and how that is shown."""

from __future__ import annotations

import io
import re
from collections import Counter

from opslib.cli.live import LivePicture, picture
from opslib.cli.progress import LineByLine, Silence
from opslib.cli.rows import Heading, heading_line, host_line, progress_lines, step_row
from opslib.cli.screen import Screen
from opslib.cli.tally import CONNECTING, Tally
from opslib.events import HostEnded, HostStarted, Notice, RunEnded, RunStarted, StepEnded, StepStarted, StepTold
from opslib.result import Change, HostResult, Report, Status, StepResult

HOSTS = ("a", "b", "c", "d")
HEADING = Heading(what="site.yml", engine="auto")


class Clock:
    """A clock that goes when it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def started(check: bool = False, hosts: tuple[str, ...] = HOSTS) -> RunStarted:
    return RunStarted(run_id="r", source="s", check=check, hosts=hosts)


def ended(host: str, status: Status = Status.OK, **values: object) -> HostEnded:
    return HostEnded(host=host, result=HostResult(name=host, status=status, **values))  # type: ignore[arg-type]


def step(name: str, status: Status = Status.OK, **values: object) -> StepResult:
    return StepResult(name=name, task="service", status=status, **values)  # type: ignore[arg-type]


def test_a_tally_follows_the_events() -> None:
    clock = Clock()
    tally = Tally(clock)
    tally.take(started())
    assert (tally.done, tally.running, tally.counts(), tally.steps(), tally.slowest()) == (0, 0, {}, {}, None)
    for host in "abc":
        tally.take(HostStarted(host=host))
    assert tally.steps() == {CONNECTING: 3}
    clock.now += 5
    tally.take(StepStarted(host="a", step="one", task="t"))
    tally.take(StepStarted(host="b", step="one", task="t"))
    assert tally.steps() == {CONNECTING: 1, "one": 2}
    clock.now += 7
    slowest = tally.slowest()
    assert slowest is not None
    assert (slowest.host, slowest.step, slowest.seconds) == ("c", CONNECTING, 12)
    tally.take(StepEnded(host="a", result=step("one")))
    tally.take(ended("a", Status.CHANGED))
    tally.take(ended("b", Status.FAILED))
    assert tally.counts() == {Status.CHANGED: 1, Status.FAILED: 1}
    assert (tally.done, tally.running, tally.elapsed) == (2, 1, 12)


def test_a_host_of_two_plays_counts_once_and_the_last_play_counts() -> None:
    tally = Tally()
    tally.take(started())
    for status in (Status.CHANGED, Status.OK):
        tally.take(HostStarted(host="a"))
        assert (tally.done, tally.running) == (0, 1)
        tally.take(ended("a", status))
    assert tally.counts() == {Status.OK: 1}


def test_hosts_that_a_play_adds_count() -> None:
    tally = Tally()
    for event in (started(hosts=("a",)), HostStarted(host="a"), HostStarted(host="b")):
        tally.take(event)
    assert tally.hosts == ("a", "b")


def test_events_out_of_order_are_no_trouble() -> None:
    tally = Tally()
    tally.take(StepEnded(host="x", result=step("one")))
    tally.take(ended("x"))
    tally.take(Notice(text="t"))
    assert (tally.done, tally.running, tally.hosts) == (1, 0, ())
    assert len(list(picture(tally, check=False))) == 2


def rows(tally: Tally, *, check: bool = False) -> list[str]:
    return [row.text for row in picture(tally, check=check)]


def test_the_picture_stays_small_with_many_hosts() -> None:
    clock = Clock()
    tally = Tally(clock)
    hosts = tuple(f"h{n}" for n in range(500))
    tally.take(started(hosts=hosts))
    for number, host in enumerate(hosts[:300]):
        tally.take(HostStarted(host=host))
        tally.take(StepStarted(host=host, step=f"step {number % 9} \x1b[2J", task="t"))
    for host in hosts[:250]:
        tally.take(ended(host, Status.CHANGED))
    clock.now += 75
    shown = rows(tally, check=True)
    assert shown[0] == "━" * 28 + "  250/500 hosts  1:15"
    assert shown[1] == "250 would change  50 running  200 waiting"
    count = Counter(number % 9 for number in range(250, 300))
    assert shown[2:7] == [f"  step {n} \\x1b[2J  {count[n]} hosts" for n in range(5)]
    assert shown[7:] == ["  and 4 more steps", "  longest: h250, 1 min 15 s at step 7 \\x1b[2J"]


def test_the_picture_names_the_slowest_only_after_a_while() -> None:
    clock = Clock()
    tally = Tally(clock)
    tally.take(started())
    tally.take(HostStarted(host="a"))
    clock.now += 9
    assert not any("longest" in row for row in rows(tally))
    clock.now += 1
    assert rows(tally)[-1] == "  longest: a, 10 s at connecting"


def test_headings() -> None:
    assert heading_line(HEADING, started()).text == "Running site.yml on 4 hosts (a, b, c, d), engine auto: for real"
    one = started(check=True, hosts=("\x1b[2Jx",))
    assert heading_line(HEADING, one).text == (
        "Checking site.yml on 1 host (\\x1b[2Jx), engine auto: nothing will be changed"
    )
    many = started(hosts=tuple(f"{name}x" for name in "abcdefghijkl"))
    assert "(ax, bx, cx, dx, ex, fx, gx, hx and 4 more)" in heading_line(HEADING, many).text


def test_host_lines() -> None:
    change = Change(kind="action", summary="restart x")
    changed = HostResult.of_steps("h", [step("s", Status.CHANGED, changed=True, changes=(change, change))], seconds=2)
    assert host_line(changed, check=False).text == "h: changed: restart x; restart x  2.0 s"
    assert host_line(changed, check=True).text.startswith("h: would change: ")
    failed = HostResult.of_steps("h", [step("s", Status.FAILED, error="first\nsecond " + "x" * 900, warnings=("w",))])
    text = host_line(failed, check=False, place="1/2 ").text
    assert text.startswith("1/2 h: failed: s: first second xxx")
    assert text.endswith("xxx... (1 warning)  0.00 s")
    assert len(text) < 350


def test_step_rows_leave_the_role_out() -> None:
    shown = step_row("h", step("ns.coll.role : The name", reason="why"), check=False).text
    assert shown == "h: ok          The name  service: why"
    assert step_row("h", step("s", Status.FAILED, error="e", ignored=True), check=False).text.startswith("h: ignored")


def test_line_by_line() -> None:
    out = io.StringIO()
    lines = LineByLine(Screen(out), Tally(), HEADING, verbose=False)
    for event in (
        started(),
        HostStarted(host="a"),
        StepEnded(host="a", result=step("s")),
        ended("a"),
        Notice(text="n"),
    ):
        lines.take(event)
    lines.say("stopping")
    assert out.getvalue().splitlines()[1:] == ["1/4 a: ok  0.00 s", "n", "stopping"]


def test_silence_shows_remarks_only() -> None:
    out = io.StringIO()
    silence = Silence(Screen(out), Tally())
    silence.take(started())
    silence.take(ended("a", Status.FAILED))
    silence.say("stopping")
    assert out.getvalue() == "stopping\n"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def live(*, verbose: bool = False) -> tuple[LivePicture, Terminal]:
    out = Terminal()
    return LivePicture(Screen(out, environ={"TERM": "xterm"}), Tally(), HEADING, verbose=verbose), out


def plain(out: Terminal) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())


def test_the_live_picture_hides_the_cursor_and_shows_it_again() -> None:
    shown, out = live()
    shown.take(started())
    assert "\x1b[?25l" in out.getvalue()
    assert "\x1b[?25h" not in out.getvalue()
    shown.close()
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")
    assert "\x1b[?1049h" not in out.getvalue()
    shown.close()


def test_the_live_picture_tells_failures_at_once_but_not_without_end() -> None:
    shown, out = live()
    hosts = tuple(f"h{n}" for n in range(60))
    shown.take(started(hosts=hosts))
    for host in hosts:
        shown.take(ended(host, Status.FAILED, error="no \x1b[2J"))
    shown.close()
    text = plain(out)
    assert text.count(": failed: no \\x1b[2J") == 20
    assert text.count("more hosts failed; the summary will tell") == 1
    assert "\x1b[2J" not in out.getvalue()


def test_the_live_picture_is_quiet_about_hosts_once_it_is_stopping() -> None:
    shown, out = live()
    shown.take(started())
    shown.say("stopping on 4 hosts")
    shown.take(ended("a", Status.FAILED, error="interrupted"))
    shown.close()
    text = plain(out)
    assert "a: failed" not in text
    assert "stopping on 4 hosts" in text


def test_the_live_picture_without_a_run_shows_nothing() -> None:
    shown, out = live()
    shown.close()
    assert out.getvalue() == ""
    shown.say("stopping")
    assert "stopping" in plain(out)


def test_run_ended_is_no_trouble() -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    report = Report(run_id="r", source="s", engine="ssh", check=False, started=now, ended=now, hosts={})
    shown, _out = live(verbose=True)
    shown.take(started())
    shown.take(RunEnded(report=report))
    shown.close()


def test_a_long_step_says_how_far_it_is() -> None:
    told = StepTold(host="a", step="deploy", task="t", message={"progress": "operation 4f1 is\x1b[2J\nPENDING"})
    assert [row.text for row in progress_lines(told)] == ["a: operation 4f1 is\\x1b[2J PENDING"]
    screen = Screen(io.StringIO())
    LineByLine(screen, Tally(), HEADING, verbose=False).take(told)
    assert screen.stream.getvalue() == "a: operation 4f1 is\\x1b[2J PENDING\n"  # type: ignore[attr-defined]


def test_what_else_a_step_tells_is_not_shown() -> None:
    for message in ({"line": "x"}, {"progress": 7}, {}):
        assert not progress_lines(StepTold(host="a", step="logs", task="t", message=message))
