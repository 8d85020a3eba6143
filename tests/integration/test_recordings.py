"""Recordings through the real system: replaying what was recorded gives the same analytics."""

from __future__ import annotations

from pathlib import Path

import pytest

from deltastream_cli.adapters.recording_file import Reader
from deltastream_cli.domain.recording import message
from deltastream_cli.domain.times import instant
from tests.integration.deribit_session import DeribitSession
from tests.integration.replays import Recorded, Run, compared, stored
from tests.support.local_system import LocalSystem

pytestmark = pytest.mark.timeout(500)  # the first test also waits for the system
MESSAGES = 3000


def test_a_replay_of_a_recording_gives_the_same_analytics(
    recorded: Recorded, deribit_session: DeribitSession, replays: LocalSystem
) -> None:
    """Of the synthetic market, and of a session of the fake exchange with its own values beside ours."""
    of_deribit = deribit_session.recorded
    assert {one["product"] for one in recorded.messages} == {"MIDCPNIFTY", "MSFT", "NVDA", "SPX"}
    equal, equal_btc = compared(recorded, replays, "again"), compared(of_deribit, replays, "again-btc")
    assert equal["underlying"] > MESSAGES / 4
    assert equal["option_quote"] > MESSAGES / 3
    assert equal["option_chain"] >= 24
    assert equal_btc["option_quote"] > MESSAGES / 3
    assert equal_btc["option_chain"] >= 24
    chain = next(one for one in of_deribit.stored.values() if "calls" in one)
    quote = next(one for one in of_deribit.stored.values() if "option_type" in one)
    assert chain["vendor_forward"] > 0
    assert quote["vendor"]["iv"] > 0


def test_an_export_of_what_was_stored_has_the_messages_of_the_recording(
    recorded: Recorded, system: LocalSystem, run: Run, folder: Path
) -> None:
    """MongoDB and the stream give the same recording; only the truth of ticks and quotes is not stored."""
    ours = [one for one in recorded.messages if one["product"] == "SPX"]
    stored(system, "load", [one["mid"] for one in ours])
    times = [one["ts"] for one in ours]
    span = (
        "--from",
        instant(min(times) // 10**9 * 10**9),
        "--to",
        instant((max(times) // 10**9 + 1) * 10**9),
    )
    run("export", "SPX", "--as-recording", *span, "-f", str(folder / "SPX.parquet"))
    mids = {one["mid"] for one in ours}
    exported = [one for row in Reader(folder / "SPX.parquet").rows() if (one := message(row))["mid"] in mids]
    kept = [one if one["kind"] == "option_chain" else one | {"truth": None} for one in ours]
    assert exported == kept
