"""What must be true of a database whose slow queries are to be found; read by testinfra and psql, not by opslib."""


def test_statistics_are_collected(sql):
    """The server counts what is read and which indexes are used."""
    assert sql("SHOW track_counts") == "on"


def test_statements_are_recorded(sql):
    """pg_stat_statements is there, and is loaded."""
    assert sql("SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'") == "1"
    assert int(sql("SELECT count(*) FROM pg_stat_statements")) >= 0
