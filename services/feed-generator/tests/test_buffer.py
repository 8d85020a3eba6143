"""The buffer: FIFO order, conflation of quotes only, and contiguous mids that never change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feed_generator.buffer import PASSES, Buffer
from feed_generator.messages import Message

TICK = Message("underlying", None, b"tick")
CHAIN = Message("option_chain", None, b"chain")
MIB = 1 << 20


def _quote(symbol: str, body: bytes) -> Message:
    return Message("option_quote", symbol, body)


def _buffer(limit: int = 1000, epoch: int = 3) -> Buffer:
    buffer = Buffer(limit)
    buffer.start_epoch(epoch)
    return buffer


def _drain(buffer: Buffer, limit: int = 100) -> list[tuple[str, bytes]]:
    found = []
    while batch := buffer.take(limit, MIB):
        found += [(named.mid, named.body) for named in batch]
        buffer.confirm(0)
    return found


def test_messages_leave_in_order_with_contiguous_mids() -> None:
    """The mids are `{epoch}:1`, `{epoch}:2`, ... in the order of arrival, for any size of batch."""
    buffer = _buffer()
    for message in (TICK, CHAIN, _quote("A", b"a"), TICK):
        assert not buffer.add(message, 0, conflate=False)
    assert len(buffer) == 4
    assert _drain(buffer, limit=3) == [("3:1", b"tick"), ("3:2", b"chain"), ("3:3", b"a"), ("3:4", b"tick")]
    assert len(buffer) == 0


def test_unconfirmed_messages_are_returned_again_with_the_same_mids() -> None:
    """Sending a message twice is harmless only if both have the same mid."""
    buffer = _buffer()
    buffer.add(TICK, 0, conflate=False)
    first = buffer.take(10, MIB)
    buffer.add(CHAIN, 0, conflate=False)
    assert buffer.take(10, MIB) == first
    assert len(buffer) == 2
    buffer.confirm(0)
    assert [named.mid for named in buffer.take(10, MIB)] == ["3:2"]


def test_a_conflated_quote_keeps_only_its_newest_body_at_the_end() -> None:
    """Conflation is per symbol. A replaced quote leaves no gap in the mids."""
    buffer = _buffer()
    answers = [
        buffer.add(message, 0, conflate=True)
        for message in (_quote("A", b"a1"), _quote("B", b"b1"), TICK, _quote("A", b"a2"), _quote("A", b"a3"))
    ]
    assert answers == [False, False, False, True, True]
    assert _drain(buffer) == [("3:1", b"b1"), ("3:2", b"tick"), ("3:3", b"a3")]


def test_a_quote_with_a_mid_is_not_replaced() -> None:
    """A quote with a mid may already be in Redis, so a newer quote is sent after it."""
    buffer = _buffer()
    buffer.add(_quote("A", b"a1"), 0, conflate=True)
    (sent,) = buffer.take(10, MIB)
    assert not buffer.add(_quote("A", b"a2"), 0, conflate=True)
    assert buffer.take(10, MIB) == [sent]
    buffer.confirm(0)
    assert _drain(buffer) == [("3:2", b"a2")]


def test_held_quotes_wait_and_conflate_while_ticks_and_chains_are_sent() -> None:
    """Held quotes are sent when `hold_quotes` is no longer set."""
    buffer = _buffer()
    for message in (_quote("A", b"a1"), TICK, CHAIN):
        buffer.add(message, 0, conflate=True)
    assert [named.body for named in buffer.take(10, MIB, hold_quotes=True)] == [b"tick", b"chain"]
    buffer.confirm(0)
    assert buffer.add(_quote("A", b"a2"), 0, conflate=True)
    assert buffer.take(10, MIB, hold_quotes=True) == []
    assert _drain(buffer) == [("3:3", b"a2")]


def test_it_is_full_from_its_limit_in_bytes_until_redis_confirms() -> None:
    """Waiting and unconfirmed bodies count towards the limit; replaced bodies do not."""
    buffer = _buffer(limit=10)
    buffer.add(_quote("A", b"x" * 9), 0, conflate=True)
    assert not buffer.full
    buffer.add(_quote("A", b"y" * 8), 0, conflate=True)
    assert not buffer.full
    buffer.add(TICK, 0, conflate=True)
    assert buffer.full
    buffer.take(10, MIB)
    assert buffer.full
    buffer.confirm(0)
    assert not buffer.full


def test_a_new_epoch_is_needed_after_a_million_passes() -> None:
    """`replay` = epoch * 1,000,000 + pass must stay below the next epoch's, so that it never decreases."""
    buffer = _buffer(epoch=3)
    for number in (PASSES - 1, PASSES, PASSES):
        buffer.add(TICK, number, conflate=False)
    assert [(named.mid, named.pass_number) for named in buffer.take(10, MIB)] == [("3:1", PASSES - 1)]
    assert buffer.has_epoch, "a message that was taken keeps its mid"
    buffer.confirm(0)
    assert not buffer.has_epoch
    assert buffer.take(10, MIB) == []
    buffer.start_epoch(7)
    assert buffer.has_epoch
    taken = buffer.take(10, MIB)
    assert [(named.mid, named.pass_number) for named in taken] == [("7:1", PASSES), ("7:2", PASSES)]


def test_messages_wait_until_the_buffer_has_an_epoch() -> None:
    """The epoch comes from Redis. Messages wait until the buffer has one."""
    buffer = Buffer(1000)
    assert not buffer.has_epoch
    buffer.add(TICK, 1, conflate=False)
    assert not buffer.has_epoch
    buffer.start_epoch(1)
    assert buffer.has_epoch


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(["", "", "A", "B", "C"]), st.booleans()),
        st.tuples(st.just("take"), st.integers(1, 5), st.booleans()),
        st.tuples(st.just("confirm"), st.just(0), st.booleans()),
    ),
    max_size=80,
)


@given(STEPS)
def test_in_any_sequence_ticks_keep_their_order_and_the_newest_quote_is_sent(
    steps: list[tuple[str, str | int, bool]],
) -> None:
    """For any sequence of add, take and confirm, no tick is lost or doubled, and ticks keep their order."""
    buffer, out = _buffer(), []
    ticks: list[bytes] = []
    newest: dict[str, bytes] = {}
    handed: list[tuple[str, bytes]] = []
    for number, (what, value, flag) in enumerate(steps):
        body = b"%d" % number
        if what == "add" and value:
            newest[str(value)] = body
            buffer.add(_quote(str(value), body), 0, conflate=flag)
        elif what == "add":
            ticks.append(body)
            buffer.add(Message("underlying", None, body), 0, conflate=flag)
        elif what == "take":
            handed = [(named.mid, named.body) for named in buffer.take(int(value), MIB, hold_quotes=flag)]
        else:
            out += handed
            handed = []
            buffer.confirm(0)
    out += _drain(buffer)
    assert [mid for mid, _ in out] == [f"3:{seq}" for seq in range(1, len(out) + 1)]
    bodies = [body for _, body in out]
    assert [body for body in bodies if body in set(ticks)] == ticks
    assert set(newest.values()) <= set(bodies)
    assert not buffer.full
    assert len(buffer) == 0


def test_a_batch_ends_with_the_message_that_reaches_the_byte_limit() -> None:
    """Chains are large: limited by number alone, a batch could have 10 MB. Resends are limited too."""
    buffer = _buffer()
    for _ in range(5):
        buffer.add(CHAIN, 0, conflate=False)
    first = buffer.take(10, 2 * len(CHAIN.body) - 1)
    assert [named.mid for named in first] == ["3:1", "3:2"]
    buffer.confirm(0)
    buffer.requeue_confirmed()
    assert [named.mid for named in buffer.take(10, 1)] == ["3:1"]
    buffer.confirm(0)
    assert [mid for mid, _ in _drain(buffer)] == ["3:2", "3:3", "3:4", "3:5"]
