"""A fake of AWS App Runner."""

from services.apprunner.server import AppRunner
from services.apprunner.site import Site

__all__ = ["AppRunner", "Site"]
