"""Build the local system from settings and feeds, after checking that the feeds can run on this machine."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deltastream_operator.domain.feed import External, Feed, Kite, Replay
from deltastream_operator.errors import FeedError
from deltastream_operator.local.live import Screen
from deltastream_operator.local.run import Local
from deltastream_operator.local.services import Services
from deltastream_operator.local.settings import KITE_FILES, Settings
from deltastream_operator.local.state.home import Home


def check_runnable(feeds: Sequence[Feed], services: Services) -> list[str]:
    """Check that each feed can run on this machine and that its generator accepts it.

    Returns what the user has to know about recordings. Raises FeedError with all problems.
    """
    problems = [
        f"{feed.name}: spec.source.replay.path: is required for a local run (a ConfigMap is for a cluster)"
        for feed in feeds
        if isinstance(feed.source, Replay) and feed.source.path is None
    ]
    unset = [name for name in KITE_FILES if name not in services.settings.kite_files]
    problems += [
        f"{feed.name}: spec.source.kite: in a local run {' and '.join(unset)} must name a file"
        " (docs/how-to/kite.md)"
        for feed in feeds
        if isinstance(feed.source, Kite) and unset
    ]
    notes: list[str] = []
    for feed in () if problems else (one for one in feeds if not isinstance(one.source, External)):
        checked = services.checked(feed)
        notes += [f"{feed.name}: {note}" for note in checked.notes]
        if checked.refusal:
            problems.append(f"{feed.name}: {checked.refusal}")
    if problems:
        raise FeedError(problems)
    return notes


def services_of(settings: Settings, root: Path, table_file: Path | None = None) -> Services:
    """Return the services' commands. `table_file` replaces them with small programs in tests."""
    home = Home(settings.home)
    if not table_file:
        return Services(root=root, home=home, settings=settings)
    rows = json.loads(table_file.read_text()).items()
    table = {kind: (row[0], tuple(row[1]), float(row[2])) for kind, row in rows}
    return Services(root=root, home=home, settings=settings, table=table)


def build(feeds: Sequence[Feed], settings: Settings, root: Path, table_file: Path | None = None) -> Local:
    """Build the local system with all its parts and create its folders."""
    services = services_of(settings, root, table_file)
    services.home.create()
    width = shutil.get_terminal_size((110, 24)).columns
    return Local(feeds, settings, services, Screen(sys.stdout, time.monotonic, width=width))
