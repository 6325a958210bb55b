"""Providers' status pages: what is down, what of it touches us, and how politely they are asked."""

from __future__ import annotations

import json
import os
import stat

import pytest

from services.statuspage import Component, Incident
from services.web import Answer, Web, drip, endless, route
from support.cloud import run


@pytest.fixture
def ask(statuspage, tmp_path):
    """Ask for the page under the name of acme, with a cache of the test's own."""

    def status(**more):
        pages = {"acme": statuspage.url, **more.pop("pages", {})}
        asked = {"providers": ["acme"], "cache": str(tmp_path / "cache"), "max_age": 0, "wait": 5, "poll": 0.002}
        return run("provider_status", {**asked, **more, "pages": pages})

    return status


def test_all_is_well(ask, statuspage):
    """Both documents are read; nothing is changed."""
    done = ask(components={"acme": ["database", "API"]})
    assert (done.status, done.warnings, done.data["down"]) == ("ok", [], [])
    assert done.reason == "nothing that touches us is down at acme"
    assert done.data["providers"][0]["state"] == "none"
    assert [call.operation for call in statuspage.requests] == ["summary", "list_components"]
    assert statuspage.mutations == []


def test_what_is_down_and_what_of_it_touches_us(ask, statuspage):
    """By the names of components, of which the summary leaves some out; an incident may name none at all."""
    statuspage.components[1].status = "degraded_performance"
    statuspage.components[2].status = "major_outage"
    statuspage.incidents += [
        Incident("Slow dashboard", ["Dashboard"]),
        Incident("Queries fail", ["Database"], impact="critical", status="identified"),
        Incident("Blocked traffic", [], impact="none", status="monitoring"),
    ]
    done = ask(components={"acme": ["Database"]})
    rows = {row["what"]: (row["state"], row["touches"]) for row in done.data["down"]}
    assert rows == {
        "Dashboard": ("degraded_performance", False),
        "Database": ("major_outage", True),
        "Slow dashboard": ("minor, investigating", False),
        "Queries fail": ("critical, identified", True),
        "Blocked traffic": ("none, monitoring", True),
    }
    assert (done.status, done.data["touched"]) == ("ok", ["acme"])
    assert "acme: Database (major_outage)" in done.reason
    assert "acme: Queries fail (critical, identified)" in done.reason
    assert "Slow dashboard" not in done.reason
    failed = ask(components={"acme": ["Database"]}, fail=True)
    assert (failed.status, "Queries fail" in failed.error) == ("failed", True)
    assert ask(components={"acme": ["API"]}, fail=True).status == "failed"  # one incident names nothing
    statuspage.incidents.pop()
    assert ask(components={"acme": ["API"]}, fail=True).status == "ok"


def test_an_incident_that_no_component_shows(ask, statuspage):
    """The page's own summary may say that all is well meanwhile."""
    statuspage.incidents.append(Incident("Delayed jobs", ["Dashboard"], status="monitoring"))
    done = ask()
    assert done.data["providers"][0]["state"] == "none"
    assert [row["what"] for row in done.data["down"]] == ["Delayed jobs"]
    assert done.data["down"][0]["link"].startswith(statuspage.url)


def test_maintenance_counts_while_it_goes_on(ask, statuspage):
    """Planned for later is no news."""
    statuspage.maintenances.append(Incident("Upgrade", ["API"], "maintenance", "scheduled"))
    assert ask().data["down"] == []
    statuspage.maintenances[0].status = "in_progress"
    assert ask().data["down"][0]["state"] == "maintenance, in_progress"


def test_a_component_that_is_gone_from_the_page(ask):
    """Else it would never again be down."""
    done = ask(components={"acme": ["API", "Legacy API"]})
    assert done.warnings == ["acme: its page has no component Legacy API; was it renamed?"]


def test_pages_are_asked_for_what_is_new(ask, statuspage):
    """Not at all while what was read is fresh, and then only whether it has changed."""
    assert ask(max_age="1h").status == "ok"
    assert ask(max_age="1h").status == "ok"
    assert len(statuspage.requests) == 2
    assert ask().status == "ok"
    assert [each.answer.status for each in statuspage.exchanges] == [200, 200, 304, 304]
    statuspage.components[0].status = "partial_outage"
    assert [row["what"] for row in ask().data["down"]] == ["API"]


def test_the_cache_is_private(ask, tmp_path, statuspage):
    """Nobody else reads or writes it; what somebody left there is not believed."""
    ask()
    cache = tmp_path / "cache"
    files = list(cache.iterdir())
    assert len(files) == 2
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in (cache, *files)] == [0o700, 0o600, 0o600]
    for file in files:
        file.write_text(json.dumps({"url": "elsewhere", "etag": 5}))
    assert ask(max_age="1h").status == "ok"
    assert len(statuspage.requests) == 4
    cache.chmod(0o777)
    assert "is not a folder that only you can write to" in ask().error


def test_one_bad_page_does_not_hide_the_others(ask, statuspage):
    """It is unreadable, and says why."""
    statuspage.components[0].status = "partial_outage"
    done = ask(providers=["acme", "gone"], pages={"gone": "http://127.0.0.1:9"})
    assert {row["name"]: row["state"] for row in done.data["providers"]} == {"acme": "none", "gone": "unreadable"}
    assert (done.status, len(done.data["down"])) == ("ok", 1)
    assert "gone" in done.warnings[0]
    assert ask(providers=["gone"], pages={"gone": "http://127.0.0.1:9"}).status == "failed"


@pytest.mark.parametrize("times", [1, None])
def test_a_page_that_stumbles(ask, statuspage, times):
    """Once is tried again; longer is told as it last was, with its age."""
    ask()
    statuspage.incidents.append(Incident("New"))
    statuspage.fail("summary", times=times, status=503)
    done = ask()
    if times == 1:
        assert (done.warnings, len(done.data["down"])) == ([], 1)
    else:
        assert "503; told as of 0 seconds ago" in done.warnings[0]
        assert done.data["down"] == []


def test_throttling_is_no_reason_to_ask_on(ask, statuspage):
    """What is known is told; the page is left alone."""
    ask()
    statuspage.throttle("summary")
    assert "429; told as of" in ask().warnings[0]
    assert len(statuspage.calls("summary")) == 2


def test_a_page_without_a_list_of_components(ask, statuspage):
    """The summary's is taken."""
    statuspage.components[0].status = "partial_outage"
    statuspage.fail("list_components", status=404, times=None)
    assert [row["what"] for row in ask().data["down"]] == ["API"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[1]",
        {"page": {"name": "x"}, "status": {"indicator": "fine"}},
        {"page": {"name": "x"}, "status": {"indicator": "none"}, "components": [{"name": "A", "status": "sleepy"}]},
        {
            "page": {"name": "x"},
            "status": {"indicator": "none"},
            "incidents": [{"name": "A", "status": "odd", "impact": "none"}],
        },
    ],
)
def test_pages_that_make_no_sense(ask, statuspage, body):
    """Words that nobody documents are not guessed at."""
    statuspage.answer("summary", body, times=None)
    done = ask()
    assert done.status == "failed"
    assert done.data["providers"][0]["state"] == "unreadable"


def test_endless_and_slow_pages(ask, statuspage):
    """They are given up, and the others told."""
    statuspage.stream("summary", endless, times=None)
    assert "longer than 16 MiB" in ask().error
    statuspage.mend()
    statuspage.stream("summary", drip(b" " * 5000, 0.01), times=None)
    assert "does not end" in ask(wait=0.3).error


def test_what_a_page_says_cannot_play_with_the_terminal(ask, statuspage):
    """Names are made printable."""
    statuspage.components.append(Component("\x1b[2JAPI\nv2", "major_outage"))
    assert "\x1b" not in repr(ask().data["down"][0]["what"]).replace("\\x1b", "")


class Moved(Web):
    """A page that has moved."""

    def forget(self):
        self.place = ""

    @route("GET", "/api/v2/{name}")
    def page(self, call):
        return Answer(None, 302, {"Location": self.place.format(**call.parameters)})


def test_a_page_that_has_moved_is_followed(ask, statuspage, tmp_path):
    """But not in circles, and not to where there is no TLS."""
    with Moved() as moved:
        for place, trouble in [
            (statuspage.url + "/api/v2/{name}", None),
            ("/api/v2/{name}", "moves more than 3 times"),
            ("http://status.example.com/x", "cannot be followed"),
            ("file:///etc/passwd", "cannot be followed"),
        ]:
            moved.place = place
            cache = str(tmp_path / str(len(moved.requests)))
            done = ask(providers=["moved"], pages={"moved": moved.url}, cache=cache)
            assert (done.status, done.error is None) == (("ok", True) if trouble is None else ("failed", False))
            assert trouble is None or trouble in done.error


def test_pages_of_incident_io_say_less(ask, statuspage):
    """Only what is needed is asked for."""
    short = {
        "page": {"id": "1", "name": "OpenAI", "url": "https://status.openai.com"},
        "status": {"indicator": "minor", "description": "Partial"},
        "components": [],
        "incidents": [{"id": "1", "name": "Errors", "status": "investigating", "impact": "major"}],
    }
    statuspage.answer("summary", short)
    done = ask()
    assert [(row["what"], row["since"]) for row in done.data["down"]] == [("Errors", None)]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"providers": ["nobody"]}, "no status page is known for nobody"),
        ({"providers": []}, "the list is empty"),
        ({"providers": ["vercel", "vercel"]}, "names one twice"),
        ({"pages": {"x": "ftp://x"}}, "is no http or https URL"),
        ({"pages": {"x": "http://status.example.com"}}, "use https"),
        ({"components": {"azure": ["x"]}}, "which is none of providers"),
        ({"cache": "relative"}, "is no absolute path"),
    ],
)
def test_parameters_that_are_refused(args, said):
    """Before anything is asked."""
    assert said in run("provider_status", args).error


def test_the_known_pages_are_those_of_the_runbook():
    """The four that the system depends on."""
    from opslib import tasks

    task = tasks.provider_status()
    assert task.providers == ["supabase", "vercel", "anthropic", "openai"]
