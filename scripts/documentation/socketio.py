"""The reference of the Socket.IO protocol: the gateway's own description, then what its code can send."""

from __future__ import annotations

import inspect

from scripts.documentation import codes
from scripts.documentation.links import ROOT, rewritten
from scripts.documentation.markdown import code, table

from socket_gateway import errors, events

_SOURCE = "services/socket-gateway/README.md"
_HEAD = """# Socket.IO

Live data comes from socket-gateway on port 8002, over Socket.IO (protocol 5, Engine.IO 4). Its
[settings](settings.md#socket-gateway) are on another page, and [the examples](../components/examples.md) have
clients for Node and for a browser.
"""
_FIELDS = """
## Fields of the events

A field of `underlying_update` or `chain_summary` is the field of the same name in the enriched message. A
`chain_update` has every field of the message, with `calls` and `puts` as one object for each strike.

"""


def page() -> str:
    """Return the page."""
    text = (ROOT / _SOURCE).read_text()
    protocol = text[text.index("## Protocol") : text.index("## Settings")]
    links = {"docs/new-service.md": "new-service.md"}
    return "\n".join(
        [_HEAD, rewritten(protocol, _SOURCE, "reference/socketio.md", links), _FIELDS, _fields(), _codes()]
    )


def _fields() -> str:
    contract = "[{0}](messages.md#{0})"
    tick, chain = contract.format("enriched-underlying"), contract.format("enriched-option_chain")
    rows = [
        ("`underlying_update`", tick, ", ".join(map(code, events._TICK))),
        ("`chain_summary`", chain, ", ".join(map(code, (*events._SUMMARY, *events._REASONS)))),
        ("`chain_update`", chain, "all"),
    ]
    return table(("event", "message", "fields"), rows)


def _codes() -> str:
    found = sorted(name for name, services in codes.error_codes().items() if "socket-gateway" in services)
    said = {kind.code: inspect.getdoc(kind) or "" for kind in vars(errors).values() if hasattr(kind, "code")}
    rows = (
        (f"[`{name}`](../troubleshooting.md#{name})", said.get(name, "").split("\n")[0]) for name in found
    )
    return "\n## Codes\n\n" + table(("code", "rule"), rows)
