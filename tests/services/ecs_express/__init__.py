"""A fake of Amazon ECS Express Mode."""

from services.ecs_express.server import EcsExpress
from services.ecs_express.state import ROLE

__all__ = ["ROLE", "EcsExpress"]
