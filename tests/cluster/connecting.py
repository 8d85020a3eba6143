"""Try connections from inside a pod."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from devcluster.kube import Cluster

PYTHON = """
import json, socket, sys, threading
opened = []
def attempt(name, host, port):
    try:
        socket.create_connection((host, port), 3).close()
        opened.append(name)
    except OSError:
        pass
threads = [threading.Thread(target=attempt, args=target) for target in json.loads(sys.argv[1])]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(opened))
"""


def reaches(cluster: Cluster, pod: dict[str, Any], targets: Sequence[tuple[str, str, int]]) -> set[str]:
    """The names of the targets (name, host, port) to which a pod with Python can connect."""
    container = pod["spec"]["containers"][0]["name"]
    execute = ("exec", pod["metadata"]["name"], f"--container={container}", "--")
    return set(json.loads(cluster.kubectl(*execute, "python", "-c", PYTHON, json.dumps(targets))))
