"""Entry point: `python app.py` serves Socket.IO until SIGTERM."""

from gevent import monkey

monkey.patch_all()  # NB: before any import that touches sockets, locks or time

from socket_gateway.bootstrap import build  # noqa: E402
from socket_gateway.config import load  # noqa: E402

if __name__ == "__main__":
    build(load()).serve_until_signal()
