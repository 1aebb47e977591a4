"""The HTTP face of the harbor. Every setting comes from the environment; stops on SIGTERM without losing a request."""

import dataclasses
import datetime
import http.server
import json
import math
import os
import random
import re
import signal
import socket
import socketserver
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse

from harbor import berths, bookings, flags, quick, tariff, tides

DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{12})[0-9a-f]*")
BACKLOG = 512
MAX_BODY_BYTES = 64 * 1024
MILLION = 1_000_000
# After SIGTERM the listener stays open until nobody has connected for this long, so that a router that has not yet
# noticed is still served; closing it between a connect and its accept would reset the connection.
QUIET_SECONDS = 0.3
# A client that never stops connecting is not waited for any longer.
LINGER_SECONDS = 3.0
# A connection accepted last may take this long to bring its first request.
FIRST_REQUEST_SECONDS = 1.0
# Requests in flight may take this long before the process ends without them.
STOP_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Settings:
    key: str
    database: str
    host: str = "127.0.0.1"
    port: int = 0
    name: str = "Harbor"
    currency: str = "EUR"
    discount_percent: int = 0
    digest: str = "unknown"
    environment: str = "unknown"
    errors_per_million: int = 0
    flags: str = ""
    evidence: str = ""

    @staticmethod
    def read(environment):
        """Settings from environment variables; raises ValueError with a sentence for the operator."""
        key = environment.get("HARBOR_KEY", "")
        if not key:
            raise ValueError("HARBOR_KEY is not set; it signs confirmation codes, so give it a secret value")
        scratch = environment.get("PLIMSOLL_SCRATCH") or environment.get("TMPDIR") or tempfile.gettempdir()
        return Settings(
            key=key,
            database=environment.get("DATABASE_URL")
            or environment.get("HARBOR_DATABASE")
            or os.path.join(scratch, "bookings.sqlite"),
            host=environment.get("HARBOR_HOST", "127.0.0.1"),
            port=whole(environment, "PORT", 8080, 0, 65535),
            name=environment.get("HARBOR_NAME", "Harbor"),
            currency=environment.get("HARBOR_CURRENCY", "EUR"),
            discount_percent=whole(environment, "HARBOR_DISCOUNT_PERCENT", 0, 0, 100),
            digest=environment.get("PLIMSOLL_DIGEST", "unknown"),
            environment=environment.get("PLIMSOLL_ENVIRONMENT", "unknown"),
            errors_per_million=whole(environment, "HARBOR_ERRORS_PER_MILLION", 0, 0, MILLION),
            flags=environment.get("HARBOR_FLAGS", ""),
            evidence=environment.get("HARBOR_EVIDENCE", ""),
        )


def whole(environment, name, default, low, high):
    text = environment.get(name, str(default))
    if not text.isdigit() or not low <= int(text) <= high:
        raise ValueError("%s is '%s'; it must be a whole number from %d to %d" % (name, text, low, high))
    return int(text)


class Refused(Exception):
    """An answer other than success: status and a sentence for the caller."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


class Harbor:
    """What each path answers: (status, JSON value)."""

    flags = flags.Nobody()

    def __init__(self, settings):
        self.settings = settings
        self.book = bookings.Book(settings.database, settings.key, settings.discount_percent)

    def answer(self, method, target, body):
        path, _, query = target.partition("?")
        parameters = dict(urllib.parse.parse_qsl(query))
        parts = [part for part in path.split("/") if part]
        try:
            match (method, parts):
                case ("GET", ["healthz"]):
                    return self.health()
                case ("GET", []):
                    return 200, self.welcome()
                case ("GET", ["version"]):
                    return 200, {"digest": self.settings.digest, "environment": self.settings.environment}
                case ("GET", ["berths"]):
                    return 200, self.berths(parameters)
                case ("GET", ["tides", day]):
                    return 200, {"day": day, "tides": tides.table(as_day("day", day))}
                case ("GET", ["quote"]):
                    return 200, self.quote_for(parameters.get("customer", ""), parameters)
                case ("POST", ["bookings"]):
                    booking, new = self.book.add(as_json(body))
                    return 201 if new else 200, booking
                case ("GET", ["bookings", code]):
                    return self.booking(code)
        except (tariff.OutOfRange, bookings.Invalid) as error:
            raise Refused(400, str(error)) from None
        except bookings.Full as error:
            raise Refused(409, str(error)) from None
        raise Refused(404, "there is no %s %s here" % (method, path))

    def health(self):
        return 200, {"ready": True}

    def welcome(self):
        return {
            "harbor": self.settings.name,
            "currency": self.settings.currency,
            "berths": len(berths.BERTHS),
        }

    def berths(self, parameters):
        length = as_number(parameters, "length")
        draft = as_number(parameters, "draft")
        tariff.check_length(length)
        day = as_day("day", parameters.get("day", datetime.date.today().isoformat()))
        low_water = tides.lowest(day)
        found = berths.search(length, draft, day)
        return {"day": day.isoformat(), "berths": [berths.describe(berth, low_water) for berth in found]}

    def quote(self, parameters):
        length = as_number(parameters, "length")
        nights = as_number(parameters, "nights")
        if nights != int(nights):
            raise Refused(400, "nights is %g; it must be a whole number" % nights)
        price = tariff.quote(length, int(nights), self.settings.discount_percent)
        return {"currency": self.settings.currency, **price}

    def booking(self, code):
        booking = self.book.find(code)
        if booking is None:
            raise Refused(404, "no booking has the code %s" % code)
        return 200, booking

    def quote_for(self, customer, parameters):
        if not self.flags.is_on("quick-quote", customer):
            return self.quote(parameters)
        length, nights = as_number(parameters, "length"), as_number(parameters, "nights")
        if nights != int(nights):
            raise Refused(400, "nights is %g; it must be a whole number" % nights)
        price = quick.quote(length, int(nights), self.settings.discount_percent)
        return {"currency": self.settings.currency, **price}

    @property
    def version(self):
        """The first 12 hex digits of the digest that runs, or `none` when nobody said."""
        found = DIGEST.fullmatch(self.settings.digest)
        return found[1] if found else "none"


def as_number(parameters, name):
    text = parameters.get(name, "")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refused(400, "%s is '%s'; it must be a number" % (name, text))
    return number


def as_day(name, text):
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        raise Refused(400, "%s is '%s'; it must be a day such as 2026-07-14" % (name, text)) from None
    if not 1900 <= day.year <= 2100:
        raise Refused(400, "%s is %s; the tide model covers 1900 to 2100" % (name, text))
    return day


def as_json(body):
    try:
        return json.loads(body)
    except ValueError:
        raise Refused(400, "the body is not JSON") from None


class Handler(http.server.BaseHTTPRequestHandler):
    """One per connection. A connection is fresh, busy or idle; only idle ones are ended from outside."""

    protocol_version = "HTTP/1.1"
    server_version = "harbor"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one write

    def setup(self):
        super().setup()
        self.server.opened(self.connection)

    def finish(self):
        try:
            super().finish()
        finally:
            self.server.harbor.book.close()
            self.server.closed(self.connection)

    def parse_request(self):
        self.server.busy(self.connection)  # its first line is here; head and body may still be on their way
        return super().parse_request()

    def do_GET(self):
        self.respond_and_tell(b"")

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True  # the body stays unread
            self.send(411 if not length else 413, {"error": "the body must have a length of at most 64 KiB"})
            return
        self.respond_and_tell(self.rfile.read(int(length)))

    def respond_and_tell(self, body):
        began = time.monotonic()
        self.respond(body)
        query = urllib.parse.urlsplit(self.path).query
        customer = dict(urllib.parse.parse_qsl(query)).get("customer", "")
        self.server.harbor.flags.tell(customer, self.status >= 500, time.monotonic() - began)

    def respond(self, body):
        try:
            status, value = self.server.harbor.answer(self.command, self.path, body)
            if self.fails_by_chance():
                status, value = 500, {"error": "failed by chance, as HARBOR_ERRORS_PER_MILLION says"}
        except Refused as refused:
            status, value = refused.status, {"error": str(refused)}
        except Exception:
            traceback.print_exc()
            status, value = 500, {"error": "internal error"}
        self.send(status, value)
        self.server.idle(self.connection)

    def send(self, status, value):
        text = (json.dumps(value, separators=(",", ":")) + "\n").encode()
        self.status = status
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if self.server.stopping.is_set():
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()

    def fails_by_chance(self):
        """As every real service does now and then, each request for itself; readiness never."""
        return self.path != "/healthz" and random.randrange(MILLION) < self.server.harbor.settings.errors_per_million

    def end_headers(self):
        # Every answer says which version gave it, the refusals of the base class too.
        self.send_header("X-Harbor-Digest", self.server.harbor.version)
        super().end_headers()

    def log_message(self, format, *arguments):
        pass  # the router logs every request


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = BACKLOG
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    quiet_seconds = QUIET_SECONDS

    def __init__(self, settings):
        self.stopping = threading.Event()
        self.condition = threading.Condition()
        self.last_opened = time.monotonic()
        self.connections = {}  # socket -> "fresh" until its first request, then "busy" or "idle"
        super().__init__((settings.host, settings.port), Handler)
        self.harbor = Harbor(settings)
        self.harbor.flags = flags.connect(settings.flags, settings.evidence)

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own would look the host's name up
        self.server_name, self.server_port = self.server_address

    def opened(self, connection):
        self.last_opened = time.monotonic()
        self.note(connection, "fresh")

    def busy(self, connection):
        self.note(connection, "busy")

    def idle(self, connection):
        self.note(connection, "idle")

    def note(self, connection, state):
        with self.condition:
            self.connections[connection] = state
            self.condition.notify_all()

    def closed(self, connection):
        with self.condition:
            self.connections.pop(connection, None)
            self.condition.notify_all()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def stop(self):
        """Answers what is in flight, queued or still arriving, then ends; called from another thread than serves."""
        self.stopping.set()
        began = time.monotonic()
        while time.monotonic() < began + LINGER_SECONDS:
            wait = max(began, self.last_opened) + self.quiet_seconds - time.monotonic()
            if wait <= 0:
                break
            time.sleep(wait)
        self.shutdown()
        self.socket.setblocking(False)
        for _ in range(BACKLOG):  # bounded, because a client that does nothing but connect would keep us here
            if not self.accept_queued():
                break
        self.server_close()
        with self.condition:
            self.condition.wait_for(lambda: "fresh" not in self.connections.values(), timeout=FIRST_REQUEST_SECONDS)
            for connection, state in self.connections.items():
                if state != "busy":
                    # What has already arrived can still be read and is answered; then the reader sees the end.
                    half_close(connection)
            self.condition.wait_for(lambda: not self.connections, timeout=STOP_SECONDS)

    def accept_queued(self):
        try:
            connection, address = self.socket.accept()
        except BlockingIOError:
            return False
        connection.setblocking(True)
        self.opened(connection)
        self.process_request(connection, address)
        return True


def half_close(connection):
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # the peer closed it first


def main():
    try:
        settings = Settings.read(os.environ)
        server = Server(settings)
    except (ValueError, OSError, sqlite3.Error) as error:
        sys.exit("harbor: %s" % error)
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    print("harbor: listening on %s:%d" % server.server_address, flush=True)
    asked.wait()
    server.stop()
    sys.stdout.flush()
    os._exit(0)  # a request that outlived STOP_SECONDS must not hold the process


if __name__ == "__main__":
    main()
