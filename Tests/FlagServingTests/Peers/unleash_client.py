"""A stock Unleash client, driven by lines of JSON: one order a line, one answer a line.

Orders: open, on, variant, flush (sends metrics), close; lag opens a stream that nobody reads.
"""

import json
import socket
import sys
import tempfile

from UnleashClient import UnleashClient


class Peer:
    def open(self, order):
        self.client = UnleashClient(
            url=order["url"],
            app_name="shop",
            instance_id="one",
            refresh_interval=1,
            metrics_interval=3600,
            cache_directory=tempfile.mkdtemp(),
            project_name=order.get("project"),
            experimental_mode={"type": order["mode"]},
        )
        self.client.initialize_client()
        return {"open": True}

    def on(self, order):
        return {"on": self.client.is_enabled(order["feature"], order.get("context", {}))}

    def variant(self, order):
        return {"variant": self.client.get_variant(order["feature"], order.get("context", {}))}

    def flush(self, order):
        self.client._metrics_reporter.flush() if hasattr(self.client, "_metrics_reporter") else self.find_flush()()
        return {"sent": True}

    def find_flush(self):
        for value in vars(self.client).values():
            if type(value).__name__ == "_MetricsReporter":
                return value.flush
        raise LookupError("the client has no reporter of metrics")

    def lag(self, order):
        self.socket = socket.create_connection(("127.0.0.1", order["port"]))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.sendall(b"GET /api/client/streaming HTTP/1.1\r\nHost: x\r\nunleash-appname: laggard\r\n\r\n")
        return {"open": True}

    def close(self, order):
        self.client.destroy()
        return {"closed": True}


peer = Peer()
for line in sys.stdin:
    order = json.loads(line)
    try:
        answer = getattr(peer, order["do"])(order)
    except Exception as error:  # told to the test, which knows what to make of it
        answer = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
