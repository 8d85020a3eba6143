"""Take files of a market for the local run, which converts them and replays the result in a new feed.

The gateway only stores the files in a folder that it shares with the local run, and reads no line of them.

OUTAGE POLICY: without Redis the answer is 503, and the files are removed.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from werkzeug.datastructures import FileStorage

from api_gateway.chassis.problems import BadInput
from api_gateway.errors import ImportUnknown
from api_gateway.feeds import asked

EXTENSION = "deltastream.imports"
MAX_FILES = 100
_REQUESTS, _CANCELS = "imports:requests", "imports:cancels"
_REQUESTS_MAX, _REQUESTS_TTL_S, _STATE_TTL_S = 20, 60, 3600
_NAME_MAX = 120
_OTHERS = re.compile(r"[^A-Za-z0-9._&-]+")


@dataclass
class Imports:
    """The folder of the uploads, and the keys of the contracts `import-request`, `-state` and `-cancel`."""

    folder: Path
    # redis-py's reply types fit neither its sync nor its async client, hence Any.
    client: Any
    new_id: Callable[[], str] = lambda: secrets.token_hex(16)

    def begin(self, files: Sequence[FileStorage], stated: dict[str, Any], account: str) -> bytes:
        """Store the files and ask for their import. Returns its first state.

        `stated` are the members of the contract import-request that the caller gave. Raises BadInput if there
        are no files or too many, and FeedsUnavailable.
        """
        import_id = self.new_id()
        folder = self.folder / import_id
        try:
            self._store(folder, files)
            request = {"id": import_id, **stated, "account": account}
            state = orjson.dumps(
                {
                    "id": import_id,
                    "feed": stated["feed"],
                    "stage": "waiting",
                    "read": 0,
                    "of": 0,
                    "detail": "the local run has not begun yet",
                    "report": None,
                }
            )
            asked(lambda: self._ask(import_id, state, orjson.dumps(request)))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return state

    def state(self, import_id: str) -> bytes:
        """Return how far an import is. Raises ImportUnknown or FeedsUnavailable."""
        found: bytes | None = asked(lambda: self.client.get(f"import:{import_id}"))
        if found is None:
            raise ImportUnknown(f"no import {import_id}: its state is kept for an hour; send the files again")
        return found

    def cancel(self, import_id: str, account: str) -> bytes:
        """Ask to cancel an import, and return how far it is. One that has ended stays as it is.

        Raises ImportUnknown or FeedsUnavailable.
        """
        state = self.state(import_id)
        request = orjson.dumps({"id": import_id, "account": account})
        asked(lambda: self._push(_CANCELS, request))
        return state

    def _store(self, folder: Path, files: Sequence[FileStorage]) -> None:
        named = [(file, _safe(file.filename or "")) for file in files]
        names = [name for _, name in named]
        if not 1 <= len(named) <= MAX_FILES:
            raise BadInput(("file", f"must be 1 to {MAX_FILES} files, each a part of the form named file"))
        if not all(names):
            raise BadInput(("file", "each file must have a name of letters, digits, dots and hyphens"))
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise BadInput(("file", f"two files are called {twice[0]}: rename one"))
        folder.mkdir(mode=0o700, parents=True)
        for file, name in named:
            file.save(folder / name)

    def _ask(self, import_id: str, state: bytes, request: bytes) -> None:
        self.client.set(f"import:{import_id}", state, ex=_STATE_TTL_S)
        self._push(_REQUESTS, request)

    def _push(self, requests: str, request: bytes) -> None:
        with self.client.pipeline() as pipe:
            pipe.rpush(requests, request)
            pipe.ltrim(requests, -_REQUESTS_MAX, -1)
            pipe.expire(requests, _REQUESTS_TTL_S)
            pipe.execute()


def _safe(name: str) -> str:
    """Return the name with `_` for other characters than letters, digits, dots, hyphens and `&`.

    So it cannot name a folder. NSE puts the product into the name, and some products have an `&`.
    """
    return _OTHERS.sub("_", name)[-_NAME_MAX:].lstrip("._-&")
