"""Runs localstripe, a stand-in for Stripe, on loopback only and in memory only.

    pip install localstripe==1.15.10
    python serve.py [PORT]

`localstripe` itself listens on all interfaces, and writes its state to /tmp/localstripe.pickle after every
request: a fixed path that other users of the machine could have prepared. Neither happens here.
Prints `localstripe listening on http://127.0.0.1:PORT` once it listens. Port 0, the default, takes a free one.
"""

import random
import socket
import sys

from aiohttp import web
from localstripe.resources import store
from localstripe.server import app


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    store.dump_to_disk = lambda: None
    # Ids come from this generator and guard nothing here; the same requests give the same ids every time.
    random.seed("countersign example 02")
    listener = socket.create_server(("127.0.0.1", port))
    print(f"localstripe listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    web.run_app(app, sock=listener, access_log=None, print=None)


if __name__ == "__main__":
    main()
