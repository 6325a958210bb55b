"""What is recorded on a service, in its tags: the image that was deployed last, and the one that served before.

Tags are where everybody who may deploy finds them: on any machine, and in the provider's console. They are written
before the deployment, so that no crash can lose what was there; whether the deployment held is seen from the image that
the service runs. https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html: at most 256
characters.
"""

from __future__ import annotations

from collections.abc import Mapping

from .images import parse

__all__ = ["IMAGE", "PREVIOUS", "back_from", "fault", "tags"]

IMAGE = "opslib:image"
PREVIOUS = "opslib:previous-image"
_LONGEST = 256


def tags(image: str, previous: str) -> dict[str, str]:
    """Return the tags for a deployment of `image` over `previous`."""
    return {IMAGE: image, PREVIOUS: previous}


def fault(image: str, previous: str) -> str:
    """Return why it cannot be recorded, in words; an empty string when it can."""
    for each in (image, previous):
        if len(each) > _LONGEST:
            return f"{each[:60]}… has {len(each)} characters; a tag that records it for a rollback holds {_LONGEST}"
    return ""


def back_from(image: str, recorded: Mapping[str, str]) -> tuple[str, str]:
    """Return the image to go back to from the one in place, and the reason when there is none.

    A reason that begins with "nothing" means that all is as it should be.
    """
    last, previous = recorded.get(IMAGE, ""), recorded.get(PREVIOUS, "")
    if not last or not previous:
        return "", "no deployment was recorded on it, so there is nothing known to go back to; deploy an image by name"
    if image == previous:
        words = f"nothing to take back: {_short(previous)} serves, and {_short(last)}, deployed over it, does not"
        return "", words + "; to go further, deploy an image by name"
    if image != last:
        words = f"it runs {_short(image)}, which was not deployed by opslib (that was {_short(last)})"
        return "", words + "; what was there before is not known: deploy an image by name"
    return previous, ""


def _short(image: str) -> str:
    try:
        return parse(image).short
    except ValueError:
        return image[:100]
