"""Bring the schema up to this release: `python -m dashboard.migrate [--to NUMBER] [--list]`.

Each migration `NNN_name.sql` runs in a transaction of its own; `NNN_name.down.sql` takes it back.
"""

import argparse
import os
import pathlib
import sys

import psycopg2

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "migrations"
TABLE = """CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=int)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    files = {int(path.name[:3]): path for path in sorted(FOLDER.glob("[0-9]*.sql")) if ".down." not in path.name}
    connection = psycopg2.connect(os.environ["DATABASE_URL"], connect_timeout=5)
    with connection, connection.cursor() as db:
        db.execute("SELECT pg_advisory_lock(20260211)")
        db.execute(TABLE)
        db.execute("SELECT version FROM schema_migrations ORDER BY version")
        done = [row[0] for row in db.fetchall()]
    goal = max(files) if options.to is None else options.to
    if options.list:
        for number, path in files.items():
            print("%s %s" % ("applied" if number in done else "pending", path.stem))
        return 0
    for number, path in files.items():
        if number <= goal and number not in done:
            step(connection, path, "INSERT INTO schema_migrations (version, name) VALUES (%s, %s)", (number, path.stem))
    if options.to is not None:
        for number in sorted((number for number in done if number > goal), reverse=True):
            down = next(FOLDER.glob("%03d_*.down.sql" % number))
            step(connection, down, "DELETE FROM schema_migrations WHERE version = %s", (number,))
    return 0


def step(connection, path, note, values):
    try:
        with connection, connection.cursor() as db:
            db.execute(path.read_text())
            db.execute(note, values)
    except psycopg2.Error as error:
        sys.exit("migration %s failed: %s" % (path.name, str(error).strip()))
    print("applied", path.name)


if __name__ == "__main__":
    sys.exit(main())
