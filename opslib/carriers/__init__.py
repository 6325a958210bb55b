"""The ways by which payloads get to hosts."""
