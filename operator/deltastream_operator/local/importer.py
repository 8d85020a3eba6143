"""Convert uploaded files to a recording, and run a feed that replays it until the local run ends.

One import after another is converted in a thread, so that the supervision of the processes goes on. Nothing
is half imported: the recording, its feed's file and the feed appear together or not at all.

OUTAGE POLICY: without Redis no request arrives, and an import goes on without telling how far it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from deltastream_operator.domain.feed import Feed
from deltastream_operator.domain.imports import (
    ImportRequest,
    Stage,
    feed_document,
    read_request,
    shown,
    state,
    worded,
)
from deltastream_operator.local.services import Services
from deltastream_operator.local.supervision.processes import die_with
from deltastream_operator.parsing import resource
from deltastream_operator.redis_feeds import RedisFeeds

_TELL_S = 0.5


class Refused(Exception):
    """An import that cannot be made. The text says why, and the fix; `report` is what the importer found."""

    def __init__(self, text: str, report: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.report = report


@dataclass(frozen=True)
class _Converted:
    """A recording and its feed, as drafts. `notes` are what the user has to know."""

    request: ImportRequest
    feed: Feed
    recording: Path
    document: str
    report: dict[str, Any]


class Importer:
    """The imports of a local run. `feeds` are those that run; `run` adds one."""

    def __init__(
        self,
        services: Services,
        store: RedisFeeds,
        *,
        feeds: Mapping[str, Feed],
        run: Callable[[Feed], None],
        say: Callable[[str], None],
    ) -> None:
        self._services, self._store, self._feeds, self._run, self._say = services, store, feeds, run, say
        self._folder = services.home.imports
        self._waiting = queue.Queue[ImportRequest]()
        self._done = queue.Queue[_Converted]()
        self._thread = threading.Thread(target=self._convert_all, name="importer", daemon=True)
        shutil.rmtree(self._folder / "uploads", ignore_errors=True)  # what a killed local run left
        for draft in self._folder.glob(".*.csv*"):
            draft.unlink(missing_ok=True)

    def step(self) -> None:
        """Take new requests, and run the feeds of finished imports. It does not wait."""
        requests: list[bytes] = []
        with contextlib.suppress(redis.RedisError):
            requests = self._store.take_imports()
        for raw in requests:
            try:
                request = read_request(raw)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                self._say(f"a request to import files was dropped: {type(error).__name__}: {error!s:.100}")
                continue
            self._waiting.put(request)
            if not self._thread.ident:
                self._thread.start()
        with contextlib.suppress(queue.Empty):
            self._finish(self._done.get_nowait())

    def _finish(self, converted: _Converted) -> None:
        request, report = converted.request, converted.report
        try:
            self._require_free(request.feed, converted.feed.products)
            recording = self._folder / f"{request.feed}.csv"
            document = self._folder / f"{request.feed}.yaml"
            os.replace(converted.recording, recording)
            document.write_text(converted.document)
        except Refused as refusal:
            converted.recording.unlink(missing_ok=True)
            self._refuse(request, str(refusal), report)
            return
        except OSError as error:
            self._refuse(request, f"{self._folder}: cannot be written: {error.strerror}", report)
            return
        self._run(converted.feed)
        again = f"the feed lasts until the local run ends; make run FEEDS={document} replays it again"
        self._say(f"{request.feed}: imported by account {request.account}; {again}")
        self._tell(request, "running", again, report=report)

    def _require_free(self, name: str, products: tuple[str, ...]) -> None:
        if name in self._feeds:
            raise Refused(f"feed: {name} runs already; choose another name (feed)")
        owners = {product: feed.name for feed in list(self._feeds.values()) for product in feed.products}
        if taken := [product for product in products if product in owners]:
            owned = ", ".join(f"{product} (feed {owners[product]})" for product in taken[:5])
            raise Refused(
                f"products: another feed has them: {owned}; a product belongs to one feed, so start the local"
                " run without that feed, and import the files again"
            )

    def _convert_all(self) -> None:
        while True:
            request = self._waiting.get()
            uploads = self._folder / "uploads" / request.id
            try:
                self._done.put(self._convert(request, uploads))
            except Refused as refusal:
                self._refuse(request, str(refusal), refusal.report)
            except Exception as error:
                self._refuse(request, f"the import failed: {type(error).__name__}; see {self._folder}", None)
            finally:
                shutil.rmtree(uploads, ignore_errors=True)

    def _convert(self, request: ImportRequest, uploads: Path) -> _Converted:
        self._require_free(request.feed, request.products)
        draft = self._folder / f".{request.id}.csv"
        report = shown(self._imported(request, uploads, draft), str(uploads))
        try:
            if report["refused"]:
                raise Refused("the files have errors; nothing is imported", report)
            self._tell(request, "checking", "a generator checks the recording", report=report)
            recording = self._folder / f"{request.feed}.csv"
            document = feed_document(request.feed, recording.name, report["products"])
            feed = self._checked(document, draft, report)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return _Converted(request, feed, draft, document, report)

    def _checked(self, document: str, draft: Path, report: dict[str, Any]) -> Feed:
        """Return the feed after its generator has accepted the draft."""
        feeds, problems = resource.parse(document, self._folder / "feed.yaml")
        drafts, _ = resource.parse(
            feed_document("draft", draft.name, report["products"]), self._folder / "feed.yaml"
        )
        if problems or not feeds:
            raise Refused("; ".join(problems), report)
        if refusal := self._services.checked(drafts[0]).refusal:
            raise Refused(worded(refusal, str(self._folder)), report)
        return feeds[0]

    def _imported(self, request: ImportRequest, uploads: Path, draft: Path) -> dict[str, Any]:
        """Run the importer and return its report. Raises Refused."""
        told_at = 0.0
        for event in self._events(request.arguments(str(uploads), str(draft))):
            if "error" in event:
                raise Refused(worded(event["error"], str(uploads)))
            if "report" in event:
                report: dict[str, Any] = event["report"]
                return report
            if time.monotonic() >= told_at + _TELL_S:
                told_at = time.monotonic()
                detail = "the files are converted"
                self._tell(request, "converting", detail, read=event["read"], of=event["of"])
        raise Refused("the importer ended without a report: the files may be too large for this machine")

    def _events(self, arguments: list[str]) -> Iterator[dict[str, Any]]:
        argv, cwd, env = self._services.importing(arguments)
        with subprocess.Popen(  # noqa: S603
            argv,
            cwd=cwd,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=die_with(os.getpid()),
        ) as process:
            try:
                for line in process.stdout or ():
                    yield json.loads(line)
            finally:
                process.terminate()

    def _refuse(self, request: ImportRequest, detail: str, report: dict[str, Any] | None) -> None:
        self._say(f"{request.feed}: not imported: {detail}")
        self._tell(request, "refused", detail, report=report)

    def _tell(
        self,
        request: ImportRequest,
        stage: Stage,
        detail: str,
        *,
        read: int = 0,
        of: int = 0,
        report: dict[str, Any] | None = None,
    ) -> None:
        with contextlib.suppress(redis.RedisError):  # the page says that it does not know
            self._store.import_state(
                request.id, state(request, stage, detail, read=read, of=of, report=report)
            )
