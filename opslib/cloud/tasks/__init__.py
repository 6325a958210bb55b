"""The cloud tasks, one file for each."""
