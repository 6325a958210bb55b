"""What is hidden of the addresses of channels, and what configurations are taken."""

from __future__ import annotations

import pytest

from opslib.cloud.channels import Channel, Channels, parse, secrets_of, select
from opslib.errors import ParamError
from opslib.host import wire


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdn", ["T1JJ3T3L2", "A1BRTD4JD", "TIiajkdn"]),
        ("https://hooks.slack.com/services/T1JJ3T3L2/B2", ["T1JJ3T3L2"]),
        ("mailtos://ada:hunter@example.com?to=x@y.z", ["hunter"]),
        ("json://host/hook?key=abc%2Fdef1234", ["abc%2Fdef1234", "abc/def1234"]),
    ],
)
def test_what_could_be_a_secret_is_hidden(url, hidden):
    """And ordinary words are not, for masking them would blot out half of a report."""
    words = secrets_of([Channel("x", url)])
    for text in hidden:
        assert text not in wire.mask(f"said {text} again", words)
    ordinary = "services at example.com and hooks.slack.com are well; webhooks, too"
    assert wire.mask(ordinary, words) == ordinary


def test_what_the_environment_adds_is_hidden(monkeypatch):
    """As a whole and in parts."""
    monkeypatch.setenv("WHOLE", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdn")
    words = secrets_of([Channel("x", "${WHOLE}"), Channel("y", "json://host/${NOT_SET}")])
    assert wire.mask("TIiajkdn", words) == "***"
    assert "${NOT_SET}" not in words


def test_configurations():
    """A URL alone, or with labels; what is canonical stays."""
    given = {"ops": "json://host", "users": {"url": "${URL}", "labels": "status, all"}}
    canonical = Channels()(given)
    assert Channels()(canonical) == canonical
    channels = parse(given)
    assert [(each.name, each.labels) for each in channels] == [("ops", ()), ("users", ("status", "all"))]
    assert [each.name for each in select(channels, [])] == ["ops", "users"]
    assert [each.name for each in select(channels, ["all"])] == ["users"]
    assert [each.name for each in select(channels, ["ops", "status"])] == ["ops", "users"]
    assert "json" not in repr(channels)


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        "json://x",
        {"a b": "json://x"},
        {"a": 5},
        {"a": ""},
        {"a": "x://a b"},
        {"a": {"url": "x://y", "x": 1}},
    ],
)
def test_configurations_that_are_refused(given):
    """With an error that shows no address."""
    with pytest.raises(ParamError):
        Channels()(given)
