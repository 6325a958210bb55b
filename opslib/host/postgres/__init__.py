"""What tasks know of PostgreSQL: how to speak to it, its programs, and where backups are kept."""
