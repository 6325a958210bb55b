"""Users and teams of the Vercel fake."""

from __future__ import annotations

from typing import Any

from services.vercel.state import TEAM, State
from services.web import WebCall, route

__all__ = ["People"]


class People(State):
    """One user, who is in one team."""

    @route("GET", "/v2/user")
    def get_user(self, call: WebCall) -> Any:
        return {
            "user": {
                "id": "user_1",
                "username": "ada",
                "email": "ada@example.com",
                "name": "Ada",
                "avatar": None,
                "billing": None,
                "createdAt": 1_600_000_000_000,
                "defaultTeamId": TEAM,
                "hasTrialAvailable": False,
                "resourceConfig": {},
                "softBlock": None,
                "stagingPrefix": "ada",
            }
        }

    def _team(self) -> dict[str, Any]:
        membership = {"uid": "user_1", "role": "OWNER", "confirmed": True, "created": 1, "createdAt": 1, "teamId": TEAM}
        return {
            "id": TEAM,
            "slug": "acme",
            "name": "Acme",
            "avatar": None,
            "createdAt": 1_600_000_000_000,
            "creatorId": "user_1",
            "updatedAt": 1_600_000_000_000,
            "description": None,
            "stagingPrefix": "acme",
            "billing": {"plan": "pro"},
            "resourceConfig": {},
            "membership": membership,
        }

    @route("GET", "/v2/teams/{teamId}")
    @route("GET", "/teams/{teamId}")
    def get_team(self, call: WebCall) -> Any:
        return self._team() if call.parameters["teamId"] in self.team.values() else self._missing("team")

    @route("GET", "/v1/teams")
    @route("GET", "/v2/teams")
    def list_teams(self, call: WebCall) -> Any:
        return {"teams": [self._team()], "pagination": {"count": 1, "next": None, "prev": None}}
