"""The base of tasks that change what visitors of a Vercel project see."""

from __future__ import annotations

from opslib.cloud import website
from opslib.cloud.task import Plan, param
from opslib.cloud.vercel.task import VercelTask
from opslib.host.params import Boolean, Duration, Text, Url

__all__ = ["SiteTask"]


class SiteTask(VercelTask):
    """A task after which the public page is looked at, from the controller."""

    url: str | None = param(
        Url(),
        "The page that visitors see, looked at afterwards; without it, the first of the project's production domains.",
        default=None,
        example="https://dashboard.example.com",
    )
    contains: str | None = param(Text("text"), "Text that must stand in that page.", default=None)
    verified: bool = param(Boolean(), "Whether the page is looked at.", default=True)
    page_wait: float = param(
        Duration(low=0.01), "Seconds within which the page must be right afterwards.", default="1m"
    )

    def check(self) -> None:
        super().check()
        if not self.verified and (self.url or self.contains):
            self.refuse("url and contains have no meaning with verified: false")

    def verify(self, plan: Plan) -> None:
        if not self.verified:
            return
        target = self.client.project().targets.production
        url = self.url or (f"https://{target.alias[0]}" if target and target.alias else None)
        if url is None:
            self.say("the project has no production domain to look at")
            return
        self.say(f"looking at {url}")
        website.expect(
            url,
            contains=self.contains,
            patience=self.patience,
            poll=self.poll,
            wait=self.page_wait,
            after=f"after: {plan.changes[0].summary}",
        )
