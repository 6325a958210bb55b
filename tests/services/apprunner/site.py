"""The public web site of a container service: a real HTTP server that answers as the image it serves would."""

from __future__ import annotations

from typing import Any

from services.web import Answer, Request, Web, route


class Site(Web):
    """Answers `/health` with the image that is served; 503 without one, or for the images in `sick`."""

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        self.image: str | None = None
        self.environment: dict[str, str] = {}
        self.sick: set[str] = set()

    @route("GET", "/health")
    def health(self, request: Request) -> Any:
        if self.image is None or self.image in self.sick:
            return Answer({"status": "sick"}, 503)
        return {"status": "healthy", "image": self.image}
