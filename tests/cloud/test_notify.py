"""Notifications: who is told, what of a failing channel is told, and that no address ever shows."""

from __future__ import annotations

import json
import threading

import pytest

from opslib import Fleet, Target, tasks
from opslib.cloud.notifications import notify
from opslib.errors import ParamError
from support.cloud import run

CANARY = "canary-9c3e77d1"
NEWS = {"title": "Deployment", "body": "Version 1.4.2 is in production.\nAll is well.", "level": "success"}


def tell(channels, **more):
    return run("notify", {**NEWS, "channels": channels, "timeout": 5, **more})


def test_channels_are_told(receiver, mail):
    """A webhook and a mail; check mode says who would be told, and tells nobody."""
    channels = {
        "hook": f"json://{receiver.address}/hook/{CANARY}",
        "mail": f"mailto://127.0.0.1:{mail.port}?from=ops@example.com&to=ada@example.com&mode=insecure",
    }
    planned = run("notify", {**NEWS, "channels": channels}, check=True)
    assert planned.status == "changed"
    assert planned.summaries == ["tell hook (JSON); mail (E-Mail) (to all channels)"]
    assert (receiver.requests, mail.messages) == ([], [])

    done = tell(channels)
    assert (done.status, done.warnings) == ("changed", [])
    assert [row["delivered"] for row in done.data["deliveries"]] == [True, True]
    body = receiver.calls("hook")[0].body
    assert (body["title"], body["type"], "All is well." in body["message"]) == ("Deployment", "success", True)
    assert mail.messages[0]["Subject"] == "Deployment"
    assert "1.4.2" in mail.messages[0].as_string()
    assert [each["progress"] for each in done.told] == ["hook: told", "mail: told"]
    assert CANARY not in repr((planned, done))


def test_slack_is_told(receiver, monkeypatch):
    """As its documentation describes incoming webhooks, with the token from the environment."""
    from apprise.plugins.slack import NotifySlack

    monkeypatch.setattr(NotifySlack, "webhook_url", receiver.url + "/services")
    monkeypatch.setenv("SLACK_TOKEN", "TIiajkdnlazkcOXrIdevi7FQ")
    monkeypatch.setenv("SLACK_URL", "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
    done = tell({"ops": "slack://T1JJ3T3L2/A1BRTD4JD/${SLACK_TOKEN}", "whole": "${SLACK_URL}"})
    assert (done.status, [row["trouble"] for row in done.data["deliveries"]]) == ("changed", ["", ""])
    for call in receiver.calls("slack"):
        assert call.parameters == {"team": "T1JJ3T3L2", "channel": "A1BRTD4JD", "token": "TIiajkdnlazkcOXrIdevi7FQ"}
        assert "Version 1.4.2 is in production." in json.dumps(call.body)
    assert len(receiver.calls("slack")) == 2
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in repr(done)


def test_some_are_chosen_by_name_or_label(receiver):
    """The others hear nothing."""
    channels = {
        "hook": f"json://{receiver.address}/hook/one",
        "pager": {"url": f"json://{receiver.address}/hook/two", "labels": ["oncall"]},
        "status": {"url": f"json://{receiver.address}/hook/three", "labels": ["users", "oncall"]},
    }
    told = lambda: sorted(call.parameters["name"] for call in receiver.calls("hook"))  # noqa: E731
    tell(channels, to=["oncall"])
    assert told() == ["three", "two"]
    receiver.reset()
    tell(channels, to=["hook", "users"])
    assert told() == ["one", "three"]
    assert (
        "no channel is called or labelled nobody; there are hook; oncall; pager" in tell(channels, to=["nobody"]).error
    )


@pytest.mark.parametrize("trouble", ["refused", "error", "slow", "dropped"])
def test_a_failing_channel_never_fails_the_step(receiver, trouble):
    """It is a warning, with why and without its address; the others are told."""
    bad = f"json://{receiver.address}/services/a/b/{CANARY}"
    if trouble == "refused":
        bad = f"json://127.0.0.1:9/{CANARY}"
    elif trouble == "error":
        receiver.fail("slack", status=403, times=None)
    elif trouble == "slow":
        receiver.delay("slack", 3)
    else:
        receiver.drop("slack", times=None)
    done = tell({"bad": bad, "good": f"json://{receiver.address}/hook/good"}, timeout=1)
    assert done.status == "changed"
    assert [(row["channel"], row["delivered"]) for row in done.data["deliveries"]] == [("bad", False), ("good", True)]
    assert len(done.warnings) == 1
    assert done.warnings[0].startswith("bad was not told: ")
    assert ("within 1 seconds" in done.warnings[0]) is (trouble == "slow")
    assert ("error=403" in done.warnings[0]) is (trouble == "error")
    assert len(receiver.calls("hook")) == 1
    assert CANARY not in repr(done)


def test_channels_that_cannot_be_used_are_reported(receiver, monkeypatch):
    """A variable that is not set, an address that apprise does not understand; the rest is told."""
    monkeypatch.delenv("PAGER_KEY", raising=False)
    channels = {
        "pager": "pagerduty://${PAGER_KEY}@abcdefgh",
        "odd": f"nonsense://{CANARY}",
        "short": f"slack://{CANARY}",
        "good": f"json://{receiver.address}/hook/good",
    }
    done = tell(channels)
    assert done.status == "changed"
    assert "pager cannot be told: PAGER_KEY is not set in the environment" in done.warnings
    assert any(
        each.startswith("odd cannot be told: apprise cannot use this nonsense address") for each in done.warnings
    )
    assert any(each.startswith("short cannot be told: ") for each in done.warnings)
    assert len(receiver.calls("hook")) == 1
    assert CANARY not in repr(done)
    nobody = tell({"odd": f"nonsense://{CANARY}"})
    assert (nobody.status, nobody.reason) == ("ok", "there is nobody to tell")


def test_what_the_environment_adds_is_quoted_and_masked(receiver, monkeypatch):
    """A value with signs of URLs stays one part of it."""
    monkeypatch.setenv("HOOK_KEY", f"{CANARY}/../x?y=1&z#")
    done = tell({"hook": f"json://{receiver.address}/hook/" + "${HOOK_KEY}"})
    assert CANARY not in repr(done)
    assert len(receiver.requests) == 1
    assert receiver.requests[0].query == {}
    assert CANARY in receiver.requests[0].path


def test_channels_from_a_file(receiver, tmp_path):
    """The same, in TOML."""
    file = tmp_path / "channels.toml"
    file.write_text(
        f'[channels.ops]\nurl = "json://{receiver.address}/hook/ops"\nlabels = ["oncall"]\n'
        f'[channels.users]\nurl = "json://{receiver.address}/hook/{CANARY}"\n'
    )
    done = run("notify", {**NEWS, "file": str(file), "to": ["oncall"]})
    assert (done.status, done.data["channels"]) == ("changed", {"ops": "JSON"})
    assert CANARY not in repr(run("notify", {**NEWS, "file": str(file)}))
    for text, said in [
        ("channels = 5", "channels: the value is no mapping"),
        ("[channels.x]\nurl = 5", "x: the value is no URL of a channel"),
        ("[channels.x]\naddress = 'x'", "x: a channel has url"),
        ("[", "is no TOML file"),
    ]:
        file.write_text(text)
        assert said in run("notify", {**NEWS, "file": str(file)}).error
    assert "No such file" in run("notify", {**NEWS, "file": str(tmp_path / "none")}).error


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "either as channels or in a file"),
        ({"channels": {"a": "json://x/"}, "file": "/x"}, "either as channels or in a file"),
        ({"channels": {"a": CANARY}}, "channels: a: the value is no URL"),
        ({"channels": {"a": f"json://{CANARY}\nx"}}, "control character"),
        ({"channels": {"-a": "json://x"}}, "is no channel"),
        ({"channels": {"a": {"url": "json://x", "tags": ["y"]}}}, "a channel has url"),
        ({"channels": ["json://x"]}, "is no mapping of names"),
        ({"channels": {"a": "json://x"}, "level": "panic"}, "is none of info"),
        ({"channels": {"a": "json://x"}, "title": "a\nb"}, "control character"),
    ],
)
def test_parameters_that_are_refused(args, said):
    """Before anybody is told, and without the address."""
    done = run("notify", {**NEWS, **args})
    assert said in done.error
    assert CANARY not in repr(done)


def test_addresses_show_nowhere_in_a_run(receiver):
    """Not in events, reports or argument vectors, as an engineer runs it."""
    told = []
    channels = {"hook": f"json://{receiver.address}/hook/{CANARY}", "bad": f"json://127.0.0.1:9/{CANARY}"}
    with Fleet([Target(name="controller", carrier="local")], on_event=told.append) as fleet:
        report = fleet.run([tasks.notify(**NEWS, channels=channels)])
    result = report.hosts["controller"]
    assert (result.status, len(receiver.calls("hook"))) == ("changed", 1)
    assert "bad was not told" in result.steps[0].warnings[0]
    for text in (repr(told), json.dumps(report.to_dict()), repr(tasks.notify(**NEWS, channels=channels))):
        assert CANARY not in text


def test_the_library_function(receiver):
    """For scripts: it returns what became of each, and leaves no thread that would hold up an exit."""
    receiver.delay("slack", 2)
    channels = {
        "hook": f"json://{receiver.address}/hook/x",
        "slow": f"json://{receiver.address}/services/a/b/{CANARY}",
    }
    done = notify(channels, title="Down", body="The site is down.", level="failure", timeout=0.5)
    assert [(each.channel, each.service, each.delivered) for each in done] == [
        ("hook", "JSON", True),
        ("slow", "JSON", False),
    ]
    assert "may still arrive" in done[1].trouble
    assert CANARY not in repr(done)
    assert all(thread.daemon for thread in threading.enumerate() if type(thread).__name__ == "_Letter")
    with pytest.raises(ParamError):
        notify({"x": "no address"}, title="x", body="x")


def test_what_a_broken_channel_says_is_masked(monkeypatch):
    """An exception may repeat the address."""
    from apprise.plugins.custom_json import NotifyJSON

    def broken(*_args, **_kwargs):
        raise RuntimeError(f"cannot send to json://host/{CANARY}")

    monkeypatch.setattr(NotifyJSON, "notify", broken)
    done = notify({"x": f"json://host/{CANARY}"}, title="x", body="x")
    assert done[0].trouble == "RuntimeError: cannot send to ***"
