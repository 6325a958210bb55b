"""Logs: everything as JSON lines in app.log, errors as text in error.log."""

import datetime as dt
import json
import logging
import os

from dashboard import settings

EXTRA = ("user_id", "job", "path", "status", "seconds")


class JsonLines(logging.Formatter):
    def format(self, record):
        when = dt.datetime.fromtimestamp(record.created, dt.timezone.utc)
        line = {
            "timestamp": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update((name, getattr(record, name)) for name in EXTRA if hasattr(record, name))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def begin():
    """Open the logs."""
    os.makedirs(settings.LOG_DIR, exist_ok=True)
    everything = logging.FileHandler(os.path.join(settings.LOG_DIR, "app.log"))
    everything.setFormatter(JsonLines())
    errors = logging.FileHandler(os.path.join(settings.LOG_DIR, "error.log"))
    errors.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    errors.setLevel(logging.ERROR)
    logging.basicConfig(level=logging.INFO, handlers=[everything, errors], force=True)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
