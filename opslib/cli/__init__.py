"""The `opslib` command: argument parsing, progress and rendering; the work is done by the library."""
