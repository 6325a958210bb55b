"""What must be true of a database that has lost nothing since its newest backup; read by psql, not by opslib."""


def test_tables_of_the_backup_are_there(newest, sql):
    """Every table of the newest backup is in the database, and those that held rows hold some."""
    _path, manifest = newest
    for table, rows in manifest["tables"].items():
        name = ".".join('"' + part.replace('"', '""') + '"' for part in table.split(".", 1))
        assert sql(f"SELECT to_regclass($opslib${name}$opslib$) IS NOT NULL") == "t", f"{table} is missing"
        assert rows == 0 or sql(f"SELECT EXISTS (SELECT FROM ONLY {name})") == "t", (
            f"{table} is empty, and had {rows} rows"
        )
