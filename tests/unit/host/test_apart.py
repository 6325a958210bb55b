"""Questions that are never answered harm nobody."""

from __future__ import annotations

import marshal
import os
import time

import pytest

from opslib.host.system import apart


def answer(word):
    word = str(word)
    if word == "hang":
        time.sleep(60)
    if word == "raise":
        raise RuntimeError(word)
    if word == "die":
        os.kill(os.getpid(), 9)
    if word.startswith("half"):
        os.write(1, marshal.dumps("half an answer"))
        return answer(word[5:])
    if word == "long":
        return "x" * 300000
    return {"word": word, "pid": os.getpid()}


def test_answers_come_in_order_from_other_processes():
    answers = apart.ask(answer, ["a", "b", "c"], 30)
    assert [one["word"] for one in answers] == ["a", "b", "c"]
    assert os.getpid() not in [one["pid"] for one in answers]


def test_no_answer_is_none_and_the_others_are_kept():
    answers = apart.ask(answer, ["a", "hang", "raise", "die", "long"], 2)
    assert answers[0]["word"] == "a"
    assert answers[1:4] == [None, None, None]
    assert len(answers[4]) == 300000


def test_more_questions_than_run_at_once():
    count = apart.AT_ONCE * 2 + 1
    assert [one["word"] for one in apart.ask(answer, list(range(count)), 30)] == [str(n) for n in range(count)]


def test_half_an_answer_is_none():
    assert apart.ask(answer, ["half-die", "half-hang", "a"], 0.5)[:2] == [None, None]


def hang(path):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)


def test_nothing_stays_behind(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    apart.ask(answer, ["a", "raise"], 30)
    assert apart.ask(hang, [str(tmp_path / "pid")], 2) == [None]
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def descriptors(_item):
    return sorted(int(name) for name in os.listdir("/proc/self/fd"))


def test_a_child_holds_nothing_that_someone_could_wait_for():
    reader, writer = os.pipe()
    (held,) = apart.ask(descriptors, [0], 30)
    os.close(reader)
    os.close(writer)
    assert held == [0, 1]  # the folder being listed, and the pipe for the answer


def test_no_question_no_answer():
    assert apart.ask(answer, [], 1) == []
