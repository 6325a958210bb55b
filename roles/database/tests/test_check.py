"""What must be true of a database that can be used; read by testinfra and psql, not by opslib."""


def test_database_answers(sql):
    """A statement is answered."""
    assert sql("SELECT 1") == "1"


def test_connections_are_left(sql, variables):
    """Fewer connections are used than the variables allow."""
    used = int(sql("SELECT count(*) FROM pg_stat_activity"))
    limit = int(sql("SHOW max_connections"))
    allowed = float(str(variables["database_fail_connections"]).rstrip("%"))
    assert used * 100 <= limit * allowed, f"{used} of {limit} connections are used"
