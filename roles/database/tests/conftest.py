"""What the suites of this role share: the database as psql sees it, and the backups as the file system does."""

import json

import pytest

# Reads the URL on the host, so that it stands in no argument.
_PSQL = """
import os, shlex, sys, urllib.parse
path, key, name, sql = sys.argv[1:]
value = ""
for line in open(path):
    found, _, text = line.strip().partition("=")
    value = shlex.split(text)[0] if found == key else value
url = urllib.parse.urlsplit(value)
given = {"PGHOST": url.hostname, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password}
given["PGDATABASE"] = name or url.path.lstrip("/")
given = {key: urllib.parse.unquote(str(value)) for key, value in given.items() if value}
os.execvpe("psql", ["psql", "-XAtc", sql], {**os.environ, **given})
"""


@pytest.fixture
def sql(host, variables, as_root):
    """Return a function that runs a statement in the database with psql, which the host must have."""

    def run(statement):
        name, user = variables.get("database_name"), variables.get("database_system_user")
        if user:
            place = ["-h", variables["database_host"]] if variables.get("database_host") else []
            words = ["runuser", "-u", user, "--", "psql", "-XAt", *place, "-d", name or user, "-c", statement]
        else:
            file, key = variables["database_env_file"], variables["database_env_key"]
            words = ["python3", "-c", _PSQL, file, key, name or "", statement]
        return host.check_output(" ".join(["%s"] * len(words)), *words)

    return run


@pytest.fixture
def newest(host, variables, sql):
    """Return the path, without ending, and the manifest of the newest backup of the database, none of the future."""
    name, folder = sql("SELECT current_database()"), variables["database_backup_folder"]
    now = float(host.check_output("date +%s"))
    found = []
    for path in host.check_output("find %s -name '*.json' ! -name '*-safety-*'", folder).splitlines():
        manifest = json.loads(host.file(path).content_string)
        if manifest["database"] == name and manifest["taken"] <= now + 60:
            found.append((manifest["taken"], path.removesuffix(".json"), manifest))
    assert found, f"there is no backup of {name} in {folder}"
    return max(found)[1:]
