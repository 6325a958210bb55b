"""What must be true of materialized views that were refreshed; read by testinfra and psql, not by opslib."""


def test_views_are_filled(sql):
    """No materialized view is empty for want of a refresh."""
    assert sql("SELECT matviewname FROM pg_matviews WHERE NOT ispopulated") == ""
