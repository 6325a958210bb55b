"""What must be true of the data that forecasts are made of; read by testinfra (psql), not by opslib."""

import re

_COUNT = "SELECT count(*) FROM {table} WHERE {value}::float8 IN ('NaN', 'Infinity', '-Infinity') OR {value} IS NULL"


def test_all_values_are_numbers(host, variables, as_root):
    """The database's administrator, where the database is on the host, finds no value that is no number."""
    key, text = variables["forecast_env_key"], host.file(variables["forecast_env_file"]).content_string
    url = re.search(rf"^{key}=.*://.*@(?:localhost|127\.0\.0\.1)(?::\d+)?/(\w+)", text, re.MULTILINE)
    if url and host.exists("psql") and host.user("postgres").exists:
        query = _COUNT.format(table=variables["forecast_table"], value=variables["forecast_value_column"])
        found = host.check_output(
            "setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtd %s -c %s", url[1], query
        )
        assert found.strip() == "0", f"{found.strip()} values are no numbers"
