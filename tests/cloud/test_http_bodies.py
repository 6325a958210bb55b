"""Bodies that come slowly, never end, or end too early, over real sockets."""

from __future__ import annotations

import gzip

import pytest
from werkzeug.wrappers import Response

from opslib.cloud.errors import MalformedError, UnknownOutcomeError
from opslib.cloud.http import Http
from opslib.cloud.patience import Patience
from services.web import Web, drip, endless, route


class Thing(Web):
    """Answers {"a": 1}."""

    @route("GET", "/thing")
    def get_thing(self, call):
        return {"a": 1}


@pytest.fixture
def thing():
    with Thing() as service:
        yield service


def ask(service, attempt=30.0):
    return Http("Thing", service.url, Patience(20, 0.01), extra="http", attempt=attempt).once("GET", "/thing")


@pytest.mark.parametrize("length", [{}, {"Content-Length": "4000"}])
def test_a_body_that_drips_is_given_up(thing, length):
    """However long it may be, one request has its time; a byte now and then gains nothing."""
    thing.twist("get_thing", lambda _right: Response(drip(b"1" * 4000, 0.01)(), headers=length))
    with pytest.raises(UnknownOutcomeError, match="does not end"):
        ask(thing, attempt=0.1)


def test_a_body_without_end_is_dropped(thing):
    """It is not kept in memory."""
    thing.stream("get_thing", endless)
    with pytest.raises(MalformedError, match="longer than 16 MiB"):
        ask(thing)


def test_a_body_that_breaks_off_is_no_answer(thing):
    """The length that was promised is looked at."""
    thing.twist("get_thing", lambda _right: Response([b'{"a": 1}'], headers={"Content-Length": "400"}))
    with pytest.raises(UnknownOutcomeError):
        ask(thing)


def test_a_compressed_body_is_unpacked_but_not_without_end(thing):
    """A small one is read; one that grows beyond the limit is dropped."""
    packed = {"Content-Encoding": "gzip"}
    thing.twist("get_thing", lambda _right: Response(gzip.compress(b'{"a": 2}'), headers=packed))
    assert ask(thing).json() == {"a": 2}
    bomb = gzip.compress(b"0" * (64 << 20))
    thing.twist("get_thing", lambda _right: Response(bomb, headers=packed))
    with pytest.raises(MalformedError, match="longer than 16 MiB"):
        ask(thing)
