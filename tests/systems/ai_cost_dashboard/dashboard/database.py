"""The database."""

import contextlib
import re
import time

import psycopg2
import psycopg2.extras

from dashboard import faults, settings


@contextlib.contextmanager
def cursor():
    """Open a connection for one transaction, and give its cursor."""
    url = settings.DATABASE_URL
    if faults.value("lose_database") is not None:
        url = re.sub(r"(@[^/:]+)(:\d+)?/", r"\1:1/", url)
    connection = psycopg2.connect(url, connect_timeout=2, application_name="ai-cost-dashboard")
    try:
        with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as found:
            yield found
    finally:
        connection.close()


def health():
    """Return whether the database answers, and how fast."""
    began = time.monotonic()
    try:
        with cursor() as db:
            db.execute("SELECT count(*) AS connections FROM pg_stat_activity")
            row = db.fetchone()
    except psycopg2.Error as error:
        return {
            "status": "unhealthy",
            "connected": False,
            "error": "Database connection failed: " + type(error).__name__,
        }
    latency = round((time.monotonic() - began) * 1000, 2)
    return {"status": "healthy", "connected": True, "latency_ms": latency, "connections": row["connections"]}
