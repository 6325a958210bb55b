"""One module per task noun: what `opslib task NAME` does on a host."""
