"""What tests can make a web service do wrong."""

from __future__ import annotations

import pytest
import requests

from services.web import Answer, Web, drip, endless, route


class Shelf(Web):
    """A shelf of things."""

    def forget(self):
        self.things = {}

    @route("GET", "/things/{name}")
    def get_thing(self, call):
        return self.things.get(call.parameters["name"]) or self.problem(404, "missing", "no such thing")

    @route("PUT", "/things/{name}")
    def put_thing(self, call):
        self.things[call.parameters["name"]] = call.body
        return Answer(None, 204)

    @route("GET", "/broken")
    def break_down(self, call):
        raise ZeroDivisionError


@pytest.fixture
def shelf():
    with Shelf() as service:
        yield service


def test_calls_are_logged_with_what_they_change(shelf):
    """Reads are told from writes; what no route knows is refused, and logged too."""
    assert requests.put(shelf.url + "/things/a", json={"size": 1}).status_code == 204
    assert requests.get(shelf.url + "/things/a?x=1&x=2").json() == {"size": 1}
    assert requests.delete(shelf.url + "/nowhere").status_code == 404
    assert [call.operation for call in shelf.requests] == ["put_thing", "get_thing", "DELETE /nowhere"]
    assert [call.operation for call in shelf.mutations] == ["put_thing", "DELETE /nowhere"]
    assert (shelf.requests[1].query, shelf.requests[1].many) == ({"x": "1"}, {"x": ["1", "2"]})
    assert [each.answer.status for each in shelf.exchanges] == [204, 200, 404]
    shelf.reset()
    assert (shelf.things, shelf.requests, shelf.exchanges) == ({}, [], [])


def test_an_error_may_come_before_or_after_the_effect(shelf):
    """An error says nothing of what was done."""
    shelf.fail("put_thing", status=502)
    shelf.fail("put_thing", after_effect=True)
    assert requests.put(shelf.url + "/things/a", json={"size": 1}).status_code == 502
    assert shelf.things == {}
    assert requests.put(shelf.url + "/things/a", json={"size": 2}).status_code == 500
    assert shelf.things == {"a": {"size": 2}}
    assert requests.put(shelf.url + "/things/a", json={"size": 3}).status_code == 204


def test_throttling_names_a_time_or_does_not(shelf):
    """It ends after so many times."""
    shelf.throttle("get_thing", 1, retry_after="7")
    shelf.throttle("get_thing", 1, retry_after=None)
    first, second, third = (requests.get(shelf.url + "/things/a") for _turn in range(3))
    assert (first.status_code, first.headers["Retry-After"]) == (429, "7")
    assert (second.status_code, "Retry-After" in second.headers) == (429, False)
    assert third.status_code == 404


def test_a_connection_may_be_dropped_after_the_effect(shelf):
    """Nobody knows then what was done."""
    shelf.drop("put_thing", after_effect=True)
    with pytest.raises(requests.ConnectionError):
        requests.put(shelf.url + "/things/a", json={"size": 1})
    assert shelf.things == {"a": {"size": 1}}


def test_answers_can_be_strange_endless_or_slow(shelf):
    """The test decides what comes."""
    shelf.answer("get_thing", b"\xff<html>")
    assert requests.get(shelf.url + "/things/a").content == b"\xff<html>"
    shelf.things["a"] = {"size": 1}
    shelf.stream("get_thing", drip(b'{"slow": true}', 0.001))
    assert requests.get(shelf.url + "/things/a").json() == {"slow": True}
    shelf.stream("get_thing", endless)
    with requests.get(shelf.url + "/things/a", stream=True) as answer:
        assert len(answer.raw.read(1 << 21)) == 1 << 21


def test_a_mistake_in_the_fake_is_not_taken_for_the_service():
    """It is raised when the service stops."""
    shelf = Shelf().start()
    assert requests.get(shelf.url + "/broken").json()["error"]["code"] == "the_fake_is_broken"
    with pytest.raises(ZeroDivisionError):
        shelf.stop()
