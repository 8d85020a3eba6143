"""Measure the speed of this machine for the pipeline's kinds of work: every benchmark prints this figure.

The work is a fixed amount of JSON, small NumPy arrays and round trips on loopback. To compare two machines,
or one machine at two times, divide each benchmark's times by its calibration.
"""

from __future__ import annotations

import json
import socket
import threading
import time

import numpy as np

ROUNDS = 5
_BODY = {"mid": "1:1", "ts": 1_700_000_000_000_000_000, "strikes": [24_000.05 + 50 * n for n in range(100)]}


def _encode_and_decode() -> None:
    for _ in range(400):
        json.loads(json.dumps(_BODY))


def _small_arrays() -> None:
    values = np.linspace(0.5, 2.0, 200)
    for _ in range(1500):
        np.exp(-np.sqrt(values) * np.log(values)).sum()


def _round_trips() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_echo, args=(server,), daemon=True)
        with socket.create_connection(server.getsockname(), timeout=10) as client:
            thread.start()
            for _ in range(600):
                client.sendall(b"x" * 64)
                client.recv(64, socket.MSG_WAITALL)
        thread.join()


def _echo(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        while data := connection.recv(64):
            connection.sendall(data)


def calibration_ms() -> float:
    """Return the median milliseconds of one round. It depends on the machine and not on the product."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        _encode_and_decode()
        _small_arrays()
        _round_trips()
        taken.append(1000 * (time.perf_counter() - started))
    return round(sorted(taken)[ROUNDS // 2], 1)


if __name__ == "__main__":
    print(f"calibration: {calibration_ms()} ms")
