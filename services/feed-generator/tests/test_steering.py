"""Pause, speed and seek of a running replay, by the command in Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from tests.support.contracts import example, validator

from feed_generator.adapters.redis_stream import connect
from feed_generator.buffer import Buffer
from feed_generator.messages import Message
from feed_generator.publisher import Publisher
from feed_generator.sources.message_file import Recorded
from feed_generator.sources.message_replay import _LOOKED_AT, MessageReplay
from feed_generator.sources.player import Instant, Player
from feed_generator.steering import Command, Steering

SECOND = 10**9
START = 1_718_866_800 * SECOND  # 2024-06-20T07:00:00Z
COMMAND = "feed:day:replay-command"


def _instants(count: int) -> list[Instant]:
    """One message a second."""
    return [
        Instant(START + at * SECOND, (Message("underlying", None, json.dumps({"turn": at}).encode()),))
        for at in range(count)
    ]


def _snapshots(count: int, forever: bool) -> Player:
    instants = _instants(count)
    return Player(
        lambda from_ns: (one for one in instants if one.ts >= from_ns),
        first_ts=instants[0].ts,
        last_ts=instants[-1].ts,
        speed_percent=100,
        interval_ns=SECOND,
        forever=forever,
    )


def _messages(count: int, forever: bool) -> Player:
    def read(from_ns: int) -> Iterator[Recorded]:
        del from_ns  # as with a file that has no index
        for one in _instants(count):
            yield Recorded("underlying", "NIFTY", one.ts, one.messages[0].body)

    return MessageReplay(
        feed="day",
        read=read,
        wanted=lambda one: one.ts >= START,
        span=(START, START + (count - 1) * SECOND),
        speed_percent=100,
        interval_ns=SECOND,
        forever=forever,
    )


class Desk:
    """A replay with a publisher on a simulated clock, and its command in a real Redis."""

    def __init__(self, bench: Any, client: redis.Redis, player: Player, shard: int = 0) -> None:
        self.bench, self.client, self.player = bench, client, player
        self.steering = Steering(
            player,
            client,
            feed="day",
            shard=shard,
            now_ns=lambda: START + bench.now,
            clock=lambda: int(bench.now),
        )
        bench.market = player
        bench.publisher = Publisher(
            player, bench.stream, Buffer(1 << 20), high_water=100, stop=bench.stop,
            beat=lambda: None, steer=self.steering.step, clock=lambda: bench.now, jitter=lambda: 1.0,
        )  # fmt: skip

    def command(self, **fields: str) -> None:
        validator("feed-replay-command").validate(fields)
        self.client.hset(COMMAND, mapping=fields)

    def run(self, seconds: float) -> list[int]:
        """Run for some seconds. Returns the numbers of the messages that were sent meanwhile."""
        before = len(self.bench.stream.got)
        self.bench.run(seconds)
        return [json.loads(named.body)["turn"] for named in self.bench.stream.got[before:]]

    def passes(self) -> list[int]:
        return [named.pass_number for named in self.bench.stream.got]

    def state(self, shard: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.client.hget("feed:day:replay", str(shard)))
        validator("feed-replay").validate(found)
        return found


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with connect(redis_url) as made:
        yield made


@pytest.fixture(params=[_snapshots, _messages])
def desk(request: pytest.FixtureRequest, make_bench: Any, client: Any) -> Desk:
    """A replay of 100 s, of snapshots and of a file of messages."""
    return Desk(make_bench(), client, request.param(100, forever=True))


def test_a_pause_sends_nothing_and_playing_goes_on_where_it_stopped(desk: Desk) -> None:
    """No message is lost or doubled, whatever the length of the pause."""
    sent = desk.run(10.5)
    desk.command(paused="true")
    sent += desk.run(0.3)
    assert desk.run(60) == []
    assert desk.state()["paused"]
    desk.command(paused="false")
    sent += desk.run(20)
    assert sent == list(range(len(sent)))
    assert 30 <= len(sent) <= 31
    assert set(desk.passes()) == {1}


def test_the_speed_changes_at_once_and_no_message_is_lost(desk: Desk) -> None:
    """Ten times as many in the same time, then half as many. Event times stay."""
    sent = desk.run(10.5)
    desk.command(speed_percent="1000")
    fast = desk.run(5)
    desk.command(speed_percent="50")
    slow = desk.run(10)
    assert sent + fast + slow == list(range(len(sent + fast + slow)))
    assert 45 <= len(fast) <= 51
    assert 5 <= len(slow) <= 7
    assert desk.state()["speed_percent"] == 50


def test_a_slow_replay_that_is_sped_up_does_not_finish_its_old_wait(desk: Desk) -> None:
    """At 1 percent the next message would be due after 100 s."""
    desk.command(speed_percent="1")
    desk.run(1)
    desk.command(speed_percent="100")
    assert desk.run(2)[:1] == [1]


def test_a_seek_begins_a_new_pass_at_that_time(desk: Desk) -> None:
    """The messages after it are newer than all before, also when the time goes back."""
    desk.run(10.5)
    desk.command(seek=f"{START + 60 * SECOND}:00000001")
    forward = desk.run(5)
    before = len(forward) - forward.index(60)
    assert forward[-before:] == list(range(60, 60 + before))
    desk.command(seek=f"{START + 5 * SECOND + 1}:00000002")
    back = desk.run(5)
    assert back[back.index(6) :] == list(range(6, 6 + len(back) - back.index(6)))
    assert desk.passes() == sorted(desk.passes())
    assert set(desk.passes()) == {1, 2, 3}
    state = desk.state()
    assert (state["pass_number"], state["seek"]) == (3, f"{START + 5 * SECOND + 1}:00000002")
    assert state["position_ts"] in [START + turn * SECOND for turn in back[-2:]]  # reported once a second


def test_a_seek_while_paused_moves_the_position_only(desk: Desk) -> None:
    """Playing begins with the message that the seek found."""
    desk.command(paused="true")
    desk.run(1)
    desk.command(seek=f"{START + 40 * SECOND}:00000001")
    assert desk.run(5) == []
    assert desk.state()["position_ts"] == START + 40 * SECOND
    desk.command(paused="false")
    assert desk.run(1.5)[:2] == [40, 41]


def test_the_place_that_a_seek_found_is_reported_at_the_next_look(desk: Desk) -> None:
    """Else a reader would see the new pass with the old place for a second."""
    desk.command(paused="true")
    desk.run(1.5)
    desk.command(seek=f"{START + 40 * SECOND}:00000001")
    desk.run(0.5)
    assert desk.state()["position_ts"] == START + 40 * SECOND


def test_the_same_seek_is_obeyed_once(desk: Desk) -> None:
    """A later change of the speed does not seek again."""
    desk.command(seek=f"{START + 60 * SECOND}:00000001")
    desk.run(3)
    desk.command(speed_percent="200")
    assert desk.run(3)[0] > 60
    assert set(desk.passes()) == {2}


@pytest.mark.parametrize("make", [_snapshots, _messages])
def test_a_replay_that_has_ended_plays_again_after_a_seek(make: Any, make_bench: Any, client: Any) -> None:
    """Once means once; a seek asks for one more pass."""
    desk = Desk(make_bench(), client, make(5, forever=False))
    assert desk.run(10) == [0, 1, 2, 3, 4]
    assert desk.state()["ended"]
    desk.command(seek=f"{START + 3 * SECOND}:00000001")
    assert desk.run(10) == [3, 4]


@pytest.mark.parametrize("make", [_snapshots, _messages])
def test_a_shard_without_messages_after_the_sought_time_begins_its_next_pass(
    make: Any, make_bench: Any, client: Any
) -> None:
    """The feed's recording goes on longer than this shard's products."""
    desk = Desk(make_bench(), client, make(5, forever=True))
    desk.command(seek=f"{START + 50 * SECOND}:00000001")
    sent = desk.run(4)
    assert sent[-3:] == [0, 1, 2]


def test_all_shards_of_a_feed_obey_one_command(make_bench: Any, client: Any) -> None:
    """Each reports under its own index, also a generator that starts after the command."""
    desks = [Desk(make_bench(), client, _snapshots(100, forever=True), shard) for shard in range(2)]
    desks[0].command(paused="true", speed_percent="300", seek=f"{START + 30 * SECOND}:00000001")
    for desk in desks:
        desk.run(2)
    late = Desk(make_bench(), client, _snapshots(100, forever=True), 2)
    late.run(2)
    states = [late.state(shard) for shard in range(3)]
    for state in states:
        assert (state["paused"], state["speed_percent"]) == (True, 300)
        assert state["position_ts"] == START + 30 * SECOND


def test_a_search_through_a_long_file_takes_many_steps(make_bench: Any, client: Any) -> None:
    """The publisher goes on between them, so the liveness probe hears of it."""
    count = 3 * _LOOKED_AT
    player = _messages(count, forever=True)
    player.seek(START + (count - 1) * SECOND)
    steps = 0
    while player.due_ns() != 0:
        assert player.advance().messages == ()
        player.step(0)
        steps += 1
    assert steps == 3
    assert json.loads(player.advance().messages[0].body)["turn"] == count - 1


def test_a_command_that_breaks_its_contract_changes_nothing(desk: Desk) -> None:
    """Only the gateway writes it, but a generator must not end because of a wrong value."""
    for field, value in (("paused", "yes"), ("speed_percent", "0"), ("seek", "now"), ("seek", "1:2")):
        desk.client.hset(COMMAND, field, value)
        desk.run(0.5)
        desk.client.delete(COMMAND)
        desk.run(0.5)
    assert set(desk.passes()) == {1}
    assert not desk.state()["paused"]


@pytest.mark.parametrize("number", [1, 2])
def test_the_examples_of_the_contract_are_read(number: int) -> None:
    fields = example("feed-replay-command", number)
    values = [
        fields[name].encode() if name in fields else None for name in ("paused", "speed_percent", "seek")
    ]
    command = Command.of(values)
    assert command.paused is (number == 2)
    assert command.seek is None or command.seek_ts == 1_718_868_000_000_000_000


def test_without_redis_a_replay_goes_on(make_bench: Any) -> None:
    """It plays as it was asked last."""
    with connect("redis://127.0.0.1:1/0") as away:
        desk = Desk(make_bench(), away, _snapshots(100, forever=True))
        assert desk.run(5.5) == [0, 1, 2, 3, 4, 5]
