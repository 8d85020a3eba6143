"""Convert uploaded files to a recording, and run a feed that replays it until the local run ends.

One import after another is converted in a thread, so that the supervision of the processes goes on. Nothing
is half imported: the folder with the recording and its feed's file appears at once, or not at all, also if
the import is cancelled. A feed whose products another feed has is not run, but its folder stays for the next
local run.

OUTAGE POLICY: without Redis no request arrives, and an import goes on without telling how far it is.
"""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis

from deltastream_operator.domain.feed import Feed, Replay
from deltastream_operator.domain.imports import (
    ImportRequest,
    Stage,
    feed_document,
    read_cancel,
    read_request,
    shown,
    state,
    worded,
)
from deltastream_operator.local.import_job import Job
from deltastream_operator.local.services import Services
from deltastream_operator.parsing import resource
from deltastream_operator.redis_feeds import RedisFeeds

RECORDING, FEED = "recording.csv", "feed.yaml"
"""The files in the folder of an import, which has the name of its feed."""
_TELL_S = 0.5
_NO_REQUEST = (ValueError, KeyError, TypeError, RecursionError)


class Refused(Exception):
    """An import that cannot be made. The text says why, and the fix; `report` is what the importer found."""

    def __init__(self, text: str, report: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.report = report


@dataclass(frozen=True)
class _Converted:
    """A feed that its generator has accepted, in a folder of drafts with its recording."""

    job: Job
    feed: Feed
    draft: Path
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
        self._jobs: dict[str, Job] = {}  # those that have not ended, by the import's id
        self._waiting = queue.Queue[Job]()
        self._done = queue.Queue[_Converted]()
        self._thread = threading.Thread(target=self._convert_all, name="importer", daemon=True)
        shutil.rmtree(self._folder / "uploads", ignore_errors=True)  # what a killed local run left
        for draft in self._folder.glob(".*"):
            shutil.rmtree(draft, ignore_errors=True)

    def step(self) -> None:
        """Take new requests, cancel imports, and run the feeds of finished ones. It does not wait."""
        requests, cancels = list[bytes](), list[bytes]()
        with contextlib.suppress(redis.RedisError):
            # The cancels first: each import that they name is then known, or among the requests.
            cancels = self._store.take_cancels()
            requests = self._store.take_imports()
        for raw in requests:
            try:
                job = Job(read_request(raw))
            except _NO_REQUEST as error:
                self._say(f"a request to import files was dropped: {type(error).__name__}: {error!s:.100}")
                continue
            self._jobs[job.request.id] = job
            self._waiting.put(job)
            if not self._thread.ident:
                self._thread.start()
        for raw in cancels:
            self._cancel(raw)
        with contextlib.suppress(queue.Empty):
            self._finish(self._done.get_nowait())

    def _cancel(self, raw: bytes) -> None:
        try:
            import_id, account = read_cancel(raw)
        except _NO_REQUEST as error:
            self._say(f"a request to cancel an import was dropped: {type(error).__name__}: {error!s:.100}")
            return
        if job := self._jobs.get(import_id):  # otherwise it has ended
            self._say(f"{job.request.feed}: account {account} cancels the import")
            job.cancel()

    def _finish(self, converted: _Converted) -> None:
        job, request, report = converted.job, converted.job.request, converted.report
        if job.cancelled:
            shutil.rmtree(converted.draft, ignore_errors=True)
            self._end_cancelled(job)
            return
        folder = self._folder / request.feed
        try:
            self._require_free(request.feed)
            shutil.rmtree(folder, ignore_errors=True)  # of a feed of an earlier local run
            converted.draft.rename(folder)
        except (Refused, OSError) as error:
            shutil.rmtree(converted.draft, ignore_errors=True)
            self._refuse(job, str(error), report)
            return
        if owned := self._owned(converted.feed.products):
            kept = (
                f"products: another feed has them: {owned}; a product belongs to one feed. The recording is "
                f"kept: stop this local run, and make run FEEDS={folder / FEED} replays it instead"
            )
            self._refuse(job, kept, report)
            return
        self._run(_at(converted.feed, folder / RECORDING))
        again = f"the feed lasts until the local run ends; make run FEEDS={folder / FEED} replays it again"
        self._say(f"{request.feed}: imported by account {request.account}; {again}")
        self._end(job, "running", again, report)

    def _require_free(self, name: str) -> None:
        if name in self._feeds:
            raise Refused(f"feed: {name} runs already; choose another name (feed)")

    def _owned(self, products: tuple[str, ...]) -> str:
        """Return those of the products that running feeds have, with the feeds' names."""
        owners = {product: feed.name for feed in self._feeds.values() for product in feed.products}
        taken = [product for product in products if product in owners]
        return ", ".join(f"{product} (feed {owners[product]})" for product in taken[:5])

    def _convert_all(self) -> None:
        while True:
            job = self._waiting.get()
            uploads = self._folder / "uploads" / job.request.id
            try:
                self._done.put(self._convert(job, uploads))
            except Exception as error:
                self._failed(job, error)
            finally:
                shutil.rmtree(uploads, ignore_errors=True)

    def _convert(self, job: Job, uploads: Path) -> _Converted:
        request = job.request
        self._require_free(request.feed)
        draft = self._folder / f".{request.id}"
        draft.mkdir()
        try:
            report = shown(self._imported(job, uploads, draft / RECORDING), str(uploads))
            if report["refused"]:
                raise Refused("the files have errors; nothing is imported", report)
            self._tell(request, "checking", "a generator checks the recording", report=report)
            return _Converted(job, self._checked(job, draft, report), draft, report)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def _checked(self, job: Job, draft: Path, report: dict[str, Any]) -> Feed:
        """Write the feed beside its recording, and return it after its generator has accepted both."""
        text = feed_document(job.request.feed, RECORDING, report["products"])
        (draft / FEED).write_text(text)
        feeds, problems = resource.parse(text, draft / FEED)
        if problems or not feeds:
            raise Refused("; ".join(problems), report)
        if refusal := self._services.checked(feeds[0], job.captured).refusal:
            raise Refused(worded(refusal, str(draft)), report)
        return feeds[0]

    def _imported(self, job: Job, uploads: Path, recording: Path) -> dict[str, Any]:
        """Run the importer and return its report. Raises Refused or Cancelled."""
        told_at = 0.0
        for event in self._events(job, job.request.arguments(str(uploads), str(recording))):
            if "error" in event:
                raise Refused(worded(event["error"], str(uploads)))
            if "report" in event:
                report: dict[str, Any] = event["report"]
                return report
            if time.monotonic() >= told_at + _TELL_S:
                told_at = time.monotonic()
                detail = "the files are converted"
                self._tell(job.request, "converting", detail, read=event["read"], of=event["of"])
        raise Refused("the importer ended without a report: the files may be too large for this machine")

    def _events(self, job: Job, arguments: list[str]) -> Iterator[dict[str, Any]]:
        argv, cwd, env = self._services.importing(arguments)
        with job.process(argv, env, cwd) as process:
            for line in process.stdout or ():
                yield json.loads(line)

    def _failed(self, job: Job, error: Exception) -> None:
        if job.cancelled:  # whatever error an ended process has caused
            self._end_cancelled(job)
        elif isinstance(error, Refused):
            self._refuse(job, str(error), error.report)
        else:
            self._refuse(job, f"the import failed: {type(error).__name__}; see {self._folder}", None)

    def _refuse(self, job: Job, detail: str, report: dict[str, Any] | None) -> None:
        self._say(f"{job.request.feed}: not imported: {detail}")
        self._end(job, "refused", detail, report)

    def _end_cancelled(self, job: Job) -> None:
        self._end(job, "cancelled", "nothing is imported", None)

    def _end(self, job: Job, stage: Stage, detail: str, report: dict[str, Any] | None) -> None:
        self._jobs.pop(job.request.id, None)
        self._tell(job.request, stage, detail, report=report)

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


def _at(feed: Feed, recording: Path) -> Feed:
    """Return the feed with its recording at this path."""
    assert isinstance(feed.source, Replay)  # noqa: S101  # feed_document writes no other source
    return replace(feed, source=replace(feed.source, path=recording))
