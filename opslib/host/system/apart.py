"""Ask questions that may never be answered, each in a process of its own.

A system call on a dead network mount, or on a file system whose server hangs, does not come back, and no thread or
signal helps the process that made it. So a child makes it, and is left behind when it does not answer.
"""

from __future__ import annotations

import marshal
import os
import select
import time

from opslib.host.command import SIGKILL

try:
    from _signal import alarm as _alarm  # type: ignore[import-not-found]
except ImportError:
    from signal import alarm as _alarm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

AT_ONCE = 32


def ask(question: Callable[[Any], Any], items: Sequence[Any], timeout: float) -> list[Any]:
    """Call a function with each of the items, each in a child process, and return the answers in order.

    question: returns plain values (None excepted: that stands for no answer); timeout: seconds for each. At most 32
    run at once. Where the function raised, the child died, or no answer came in time, the answer is None.
    """
    answers: list[Any] = []
    for first in range(0, len(items), AT_ONCE):
        answers += _ask(question, items[first : first + AT_ONCE], timeout)
    return answers


def _ask(question: Callable[[Any], Any], items: Sequence[Any], timeout: float) -> list[Any]:
    poll = select.poll()
    children: dict[int, tuple[int, int]] = {}
    said: list[bytes] = [b""] * len(items)
    try:
        for number, item in enumerate(items):
            reader, writer = os.pipe()
            pid = os.fork()
            if pid == 0:
                _answer(question, item, writer, timeout)
            os.close(writer)
            children[reader] = number, pid
            poll.register(reader, select.POLLIN)
        ends = time.monotonic() + timeout
        while children:
            left = ends - time.monotonic()
            if left <= 0:
                break
            for reader, _event in poll.poll(int(left * 1000) + 1):
                number, pid = children[reader]
                piece = os.read(reader, 65536)
                said[number] += piece
                if not piece:
                    poll.unregister(reader)
                    os.close(reader)
                    del children[reader]
                    if os.waitpid(pid, 0)[1]:
                        said[number] = b""
    finally:
        late = [number for number, _pid in children.values()]
        _leave(children)
    return [marshal.loads(text) if text and number not in late else None for number, text in enumerate(said)]


def _answer(question: Callable[[Any], Any], item: Any, writer: int, timeout: float) -> None:
    """In the child. It holds nothing of its parent's, so that nobody waits for it, and dies by itself if left alone."""
    code = 1
    try:
        _alarm(int(timeout) + 2)
        os.dup2(writer, 1)
        os.closerange(2, 256)
        os.close(0)
        text = marshal.dumps(question(item))
        while text:
            text = text[os.write(1, text) :]
        code = 0
    finally:
        os._exit(code)


def _leave(children: dict[int, tuple[int, int]]) -> None:
    """Kill the children that are late. One that is stuck in the kernel stays until the kernel lets it go."""
    for _number, pid in children.values():
        try:
            os.kill(pid, SIGKILL)
        except OSError:
            pass
    left = {pid for _number, pid in children.values()}
    for reader in children:
        os.close(reader)
    for _look in range(20):
        left = {pid for pid in left if os.waitpid(pid, os.WNOHANG)[0] == 0}
        if not left:
            return
        time.sleep(0.005)
