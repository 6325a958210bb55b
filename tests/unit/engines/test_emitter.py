"""Events reach the caller's function one at a time, and what it does harms nobody."""

from __future__ import annotations

import threading
import time

from opslib.engines.emitter import Emitter
from opslib.events import HostStarted, Notice

EVENT = HostStarted(host="web1")


def test_events_are_passed_on():
    """In order, and `say` makes one of a text."""
    got = []
    emit = Emitter(got.append)
    emit(EVENT)
    emit.say("a play goes elsewhere")
    assert got == [EVENT, Notice(text="a play goes elsewhere")]
    assert emit.warnings == ()


def test_nobody_listens():
    """Without a function nothing happens."""
    emit = Emitter(None)
    emit(EVENT)
    emit.say("x")
    assert emit.warnings == ()


def test_what_the_function_raises_is_a_warning_once_per_kind():
    """A long run with a broken callback has a short report."""
    raised = iter([ValueError("first"), ValueError("second"), KeyError("x"), OSError("y"), ValueError("third")])

    def broken(_event):
        raise next(raised)

    emit = Emitter(broken)
    for _event in range(5):
        emit(EVENT)
    assert emit.warnings == (
        "on_event raised ValueError: first",
        "on_event raised KeyError: 'x'",
        "on_event raised OSError: y",
    )


def test_an_exception_without_text_is_a_warning_too():
    """Even its text may raise."""

    class Silent(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    def broken(_event):
        raise Silent

    emit = Emitter(broken)
    emit(EVENT)
    assert emit.warnings == ("on_event raised Silent",)


def test_one_event_at_a_time():
    """However many threads emit, the function is never called twice at once, and no event is lost."""
    busy = threading.Lock()
    got = []

    def listen(event):
        assert busy.acquire(blocking=False)
        try:
            time.sleep(0.0002)
            got.append(event)
        finally:
            busy.release()

    emit = Emitter(listen)
    begin = threading.Barrier(8)

    def work(number):
        begin.wait()
        for count in range(50):
            emit(HostStarted(host=f"{number}:{count}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert emit.warnings == ()
    for number in range(8):
        mine = [event.host for event in got if event.host.startswith(f"{number}:")]
        assert mine == [f"{number}:{count}" for count in range(50)]


def test_remarks_are_kept_once_and_in_order():
    """They become the report's warnings."""
    emit = Emitter(None)
    for text in ("b", "a", "b"):
        emit.warn(text)
    assert emit.warnings == ("b", "a")
