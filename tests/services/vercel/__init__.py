"""Vercel's REST API, as far as deployments, production aliases, environment variables and logs go.

Checked against Vercel's own published models, in both directions (`services.vercel_model`), and against their command
line, which drives it (`services.vercel_cli`). It cannot show: builds, rolling releases, what plans forbid, caches, and
how fast an alias really reaches the edge. Times are looks: a build or an alias job goes a step further with each look.
"""

from __future__ import annotations

from services.vercel.deployments import Deployments
from services.vercel.logs import Logs, log_row
from services.vercel.people import People
from services.vercel.production import Production
from services.vercel.state import PROJECT, TEAM, Deployment
from services.vercel.variables import Variables
from services.web import Answer, Web, WebCall, route

__all__ = ["PROJECT", "TEAM", "Deployment", "Site", "Vercel", "log_row"]


class Vercel(People, Production, Deployments, Variables, Logs):
    """The whole service; what tests can set up stands in `State`."""


class Site(Web):
    """What visitors of the production aliases see: a page that names the deployment in production."""

    def __init__(self, vercel: Vercel) -> None:
        super().__init__()
        self.vercel = vercel

    @route("GET", "/")
    def page(self, call: WebCall) -> Answer:
        """Answer as the deployment in production does."""
        body = f"<html><body>served by {self.vercel.production}</body></html>"
        return Answer(body, 200, {"Content-Type": "text/html"})
