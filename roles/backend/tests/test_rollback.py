"""What must be true of a host after a rollback; read by testinfra, not by opslib."""

ALSO = ("status",)


def test_an_earlier_release_is_in_place(events, in_place):
    """What was in place before the last deployment, or what was named, is back."""
    last = events[-1]
    assert (last["act"], last["outcome"]) == ("rollback", "good"), last.get("error")
    assert in_place[0] == last["commit"]
    assert any(event["id"] == last["id"] for event in events[:-1]), "it was never deployed before"


def test_packages_are_those_of_that_release(host, events, in_place, as_root):
    """The environment holds just what was locked when the release was deployed."""
    frozen = host.check_output("%s -m pip freeze --all", f"{in_place[1]}/bin/python").splitlines()
    assert set(events[-1]["packages"]) == set(frozen)


def test_url_answers(variables, check_answer):
    """The URL answers from the host with the status and the JSON that are asked for."""
    if variables.get("backend_http"):
        check_answer(variables["backend_http"])
