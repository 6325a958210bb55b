"""What tasks know of logs: files and their order in time, entries, patterns, archives, rotation."""
