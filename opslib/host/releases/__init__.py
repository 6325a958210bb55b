"""Releases of an application: fetched, built, switched to, watched, recorded, and taken back."""
