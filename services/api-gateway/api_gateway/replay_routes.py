"""The REST routes for the replay of a feed. They belong to the blueprint of the feeds."""

from __future__ import annotations

from flask import Response, current_app

from api_gateway import models, replay_models
from api_gateway.identity import EXTENSION as IDENTITY
from api_gateway.identity import Identity
from api_gateway.replays import EXTENSION as REPLAYS
from api_gateway.replays import Replays
from api_gateway.routes import feeds, feeds_of_app, json_answer, problems

__all__ = ["feeds"]  # with the routes of this module
_READ = problems(400, 401, 404, 409, 414, 429, 500, 503)
_COMMAND = problems(400, 401, 403, 404, 409, 413, 414, 415, 429, 500, 503)


@feeds.get("/<feed>/replay", responses={200: replay_models.ReplayState, **_READ})
def replay_state(path: models.FeedPath) -> Response:
    """Tell where the replay of a feed is: position, speed, first and last time of its recording."""
    return json_answer(_replays().state(path.feed))


@feeds.post("/<feed>/replay", responses={202: replay_models.ReplayAsked, **_COMMAND})
def steer_replay(path: models.FeedPath, body: replay_models.Steer) -> Response:
    """Pause or play a replay of a local run, set its speed, or seek a time. For the role operator."""
    identity: Identity = current_app.extensions[IDENTITY]
    identity.account()
    given = body.given()
    # Before the role: in a cluster no account has it, and the answer is the command to use instead.
    feeds_of_app().require_local_run(path.feed, "replay", given)
    identity.require_operator()
    answer = json_answer(_replays().command(path.feed, given))
    answer.status_code = 202
    return answer


def _replays() -> Replays:
    found: Replays = current_app.extensions[REPLAYS]
    return found
