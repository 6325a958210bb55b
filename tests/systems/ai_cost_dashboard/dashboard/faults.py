"""Ways to fail on purpose, as words: in the release, in the environment (FAULT), or in a file that is read each time.

A word is `name`, `name=value` or `name@/path`. At the start: crash_at_start, crash_after=SECONDS, hang_at_start,
hold_port. In every answer (or those below /path): error500, unavailable, hang, slow=SECONDS, html, endless.
Else: degraded, lose_database, scheduler_off, leak=MEGABYTES_PER_SECOND, fill_log=LINES_PER_SECOND,
errors=LINES_PER_SECOND, job_fails=JOB, job_hangs=JOB, job_slow=SECONDS.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import time

from dashboard import release, settings

log = logging.getLogger("dashboard.faults")
HOLDER = "import socket, time; s = socket.socket(fileno=%d); time.sleep(86400)"
hoard = []


def words():
    """Return the faults that are switched on, by name, as (value, path)."""
    text = release.FAULTS + " " + os.environ.get("FAULT", "")
    try:
        with open(settings.FAULTS_FILE) as file:
            text += " " + file.read(4096)
    except OSError:
        pass
    found = {}
    for word in text.replace(",", " ").split():
        word, _, path = word.partition("@")
        name, _, value = word.partition("=")
        found[name] = (value, path or "/")
    return found


def value(name):
    """Return the value of a fault, or None when it is off."""
    return words().get(name, (None, ""))[0]


def at_start():
    """Fail while starting, or prepare to fail later."""
    if value("crash_at_start") is not None:
        log.error("cannot start: the configuration table is corrupt")
        sys.exit(3)
    if value("hang_at_start") is not None:
        time.sleep(86400)
    if value("hold_port") is not None:
        holder = socket.socket()
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("0.0.0.0", settings.PORT))
        holder.listen()
        subprocess.Popen([sys.executable, "-c", HOLDER % holder.fileno()], pass_fds=[holder.fileno()])
        holder.close()
    for name, act in (("leak", _leak), ("fill_log", _fill_log), ("errors", _errors)):
        threading.Thread(target=_each_second, args=(name, act), daemon=True).start()
    threading.Thread(target=_crash_later, daemon=True).start()


def _crash_later():
    after = value("crash_after")
    if after is not None:
        time.sleep(float(after))
        log.critical("out of handles after %s s, giving up", after)
        os._exit(4)


def _each_second(name, act):
    while True:
        amount = value(name)
        if amount:
            act(float(amount))
        time.sleep(1)


def _leak(megabytes):
    hoard.append(bytearray(os.urandom(1024)) * int(megabytes * 1024))


def _fill_log(lines):
    for number in range(int(lines)):
        log.info("cache statistics %d: %s", number, "x" * 500)


def _errors(lines):
    for number in range(int(lines)):
        log.error("cost sync failed for account %d: provider answered 502", 1000 + number)


class Middleware:
    """Spoils answers."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            for name, (given, path) in words().items():
                act = getattr(self, "answer_" + name, None)
                if act and scope["path"].startswith(path) and await act(given, send):
                    return
        await self.app(scope, receive, send)

    async def answer_slow(self, seconds, send):
        await asyncio.sleep(float(seconds or 3))

    async def answer_hang(self, given, send):
        await asyncio.sleep(86400)

    async def answer_error500(self, given, send):
        log.error("unhandled error: division by zero")
        return await _say(send, 500, "text/plain", b"Internal Server Error")

    async def answer_unavailable(self, given, send):
        return await _say(send, 503, "application/json", b'{"status": "unhealthy"}')

    async def answer_html(self, given, send):
        return await _say(send, 200, "text/html", b"<!doctype html><html><body>Please log in</body></html>")

    async def answer_endless(self, given, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        while True:
            await send({"type": "http.response.body", "body": b" " * 65536, "more_body": True})
            await asyncio.sleep(0.001)


async def _say(send, status, kind, body):
    headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return True
