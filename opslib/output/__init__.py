"""What people and other programs get to read of a run: pure functions from a `Report` to text."""
