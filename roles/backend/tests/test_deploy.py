"""What must be true of a host after a deployment; read by testinfra, not by opslib."""

ALSO = ("status",)


def test_last_event_is_a_good_deployment(events, in_place):
    """The deployment ended well, and what it deployed is in place."""
    last = events[-1]
    assert (last["act"], last["outcome"]) == ("deploy", "good"), last.get("error")
    assert in_place[0] == last["commit"]


def test_packages_are_the_recorded_ones(host, events, in_place, as_root):
    """The environment holds just what was locked."""
    frozen = host.check_output("%s -m pip freeze --all", f"{in_place[1]}/bin/python").splitlines()
    assert set(events[-1]["packages"]) == set(frozen)


def test_url_answers(variables, check_answer):
    """The URL answers from the host with the status and the JSON that are asked for."""
    if variables.get("backend_http"):
        check_answer(variables["backend_http"])
