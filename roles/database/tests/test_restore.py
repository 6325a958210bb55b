"""What must be true of a database that was restored; read by testinfra and psql, not by opslib."""


def test_database_answers(sql):
    """It is there and takes connections."""
    assert sql("SELECT datallowconn FROM pg_database WHERE datname = current_database()") == "t"


def test_services_run_again(host, variables):
    """Every unit that was stopped is up."""
    for unit in variables["database_restore_units"]:
        assert host.service(unit).is_running, f"{unit} does not run"


def test_nothing_half_done_is_left(host, variables, sql):
    """No database that was being restored and no note of a restore under way."""
    assert sql("SELECT datname FROM pg_database WHERE datname ~ '_restore_[0-9]{8}_[0-9]{6}$'") == ""
    left = host.check_output("find %s -name '*.restoring'", variables["database_backup_folder"])
    assert not left, f"a restore was cut short: {left}"
