"""What tasks know of file systems: trees that cannot be left, sizes, mounts, open files."""
