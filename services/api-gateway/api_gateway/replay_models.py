"""Models of the routes for replays: the body of a command, and the answers."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, StrictBool, model_validator

from api_gateway.models import Body, documented


class Steer(Body):
    """How a replay shall play: one member or several. Unknown members are refused."""

    model_config = ConfigDict(extra="forbid")

    paused: StrictBool | None = documented(None, description="True pauses, false plays.", example=False)
    speed_percent: int | None = documented(
        None,
        strict=True,
        ge=1,
        le=100_000,
        description="Speed, 1 to 100000; 100 is that of the recorded market.",
        example=500,
    )
    seek: AwareDatetime | None = documented(
        None,
        description="Event time to go to, RFC 3339 with its zone, from the recording's first to its last.",
        example="2024-06-20T07:20:00Z",
    )

    @model_validator(mode="after")
    def _not_empty(self) -> Steer:
        if not self.given():
            raise ValueError("give paused, speed_percent, seek or several of them")
        return self

    def given(self) -> dict[str, Any]:
        """Return the members that have a value."""
        return self.model_dump(exclude_none=True)


class ReplayState(BaseModel):
    """Where a replay is."""

    feed: str = documented(description="Name of the feed.", example="nifty-replay")
    paused: bool = documented(description="Whether the replay pauses.", example=False)
    ended: bool = documented(description="Whether a replay that plays once has ended.", example=False)
    speed_percent: int = documented(description="Speed; 100 is that of the recorded market.", example=500)
    position: str = documented(
        description="Event time of the messages that were sent last.", example="2024-06-20T07:30:00.000000Z"
    )
    first: str = documented(
        description="First event time of the recording.", example="2024-06-20T07:00:00.000000Z"
    )
    last: str = documented(
        description="Last event time of the recording.", example="2024-06-20T10:10:00.000000Z"
    )
    pass_number: int = documented(
        description="Number of the pass over the recording; a seek begins a new one.", example=2
    )
    generators: int = documented(description="Generators of the feed that report.", example=1)


class ReplayAsked(BaseModel):
    """A command that the generators will obey."""

    feed: str = documented(description="Name of the feed.", example="nifty-replay")
    detail: str = documented(description="What happens now, and how long it lasts.")
