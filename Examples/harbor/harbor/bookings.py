"""The book: bookings in SQLite, one row per booking and night, so that two bookings never share a berth."""

import datetime
import hashlib
import hmac
import json
import sqlite3
import threading

from harbor import berths, tariff

SCHEMA = """
CREATE TABLE IF NOT EXISTS bookings (
  id TEXT PRIMARY KEY, reference TEXT NOT NULL UNIQUE, boat TEXT NOT NULL, berth TEXT NOT NULL,
  arrival TEXT NOT NULL, nights INTEGER NOT NULL, quote TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS nights (
  berth TEXT NOT NULL, day TEXT NOT NULL, booking TEXT NOT NULL REFERENCES bookings(id),
  PRIMARY KEY (berth, day));
"""
BUSY_TIMEOUT_SECONDS = 5
FIELDS = {"reference": str, "boat": str, "length": (int, float), "draft": (int, float), "arrival": str, "nights": int}
MAX_TEXT = 80


class Invalid(ValueError):
    """A request that cannot be understood; the text is for the caller."""


class Full(Exception):
    """No berth is free that fits; the text is for the caller."""


def parse(request):
    """A booking request with each field checked."""
    if not isinstance(request, dict):
        raise Invalid("the body must be a JSON object")
    for field, kind in FIELDS.items():
        if field not in request:
            raise Invalid("the field '%s' is missing" % field)
        if isinstance(request[field], bool) or not isinstance(request[field], kind):
            raise Invalid("the field '%s' has the wrong type" % field)
        if isinstance(request[field], str) and not 0 < len(request[field]) <= MAX_TEXT:
            raise Invalid("the field '%s' must have 1 to %d characters" % (field, MAX_TEXT))
    if not 0 < request["draft"] <= 10:
        raise Invalid("draft is %g m; it must be above 0 and at most 10 m" % request["draft"])
    try:
        arrival = datetime.date.fromisoformat(request["arrival"])
    except ValueError:
        raise Invalid("arrival is '%s'; it must be a day such as 2026-07-14" % request["arrival"]) from None
    return {**request, "arrival": arrival}


class Book:
    """One connection per thread; SQLite serialises writers."""

    def __init__(self, path, key, discount_percent=0):
        self.path = path
        self.key = key
        self.discount_percent = discount_percent
        self.local = threading.local()
        self.connection().executescript(SCHEMA)

    def connection(self):
        if not hasattr(self.local, "connection"):
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self.local.connection = connection
        return self.local.connection

    def close(self):
        """Closes the calling thread's connection."""
        if hasattr(self.local, "connection"):
            self.local.connection.close()
            del self.local.connection

    def confirmation(self, reference):
        """The short code that a boat shows at the gate; only who holds the key can make it."""
        return hmac.new(self.key.encode(), reference.encode(), hashlib.sha256).hexdigest()[:12].upper()

    def add(self, request):
        """Books the tightest free berth: (booking, whether it is new). A known reference returns its booking."""
        boat = parse(request)
        quote = tariff.quote(boat["length"], boat["nights"], self.discount_percent)
        days = [(boat["arrival"] + datetime.timedelta(days=night)).isoformat() for night in range(boat["nights"])]
        choices = berths.search(boat["length"], boat["draft"], boat["arrival"])
        code = self.confirmation(boat["reference"])
        database = self.connection()
        database.execute("BEGIN IMMEDIATE")
        try:
            known = self.find(code)
            if known is not None:
                return known, False
            taken = {
                row[0]
                for row in database.execute(
                    "SELECT DISTINCT berth FROM nights WHERE day BETWEEN ? AND ?", (days[0], days[-1])
                )
            }
            berth = next((berth for berth in choices if berth.name not in taken), None)
            if berth is None:
                raise Full("no berth of %g m and %g m draft is free from %s" % (boat["length"], boat["draft"], days[0]))
            database.execute(
                "INSERT INTO bookings VALUES (?, ?, ?, ?, ?, ?, ?)",
                (code, boat["reference"], boat["boat"], berth.name, days[0], boat["nights"], json.dumps(quote)),
            )
            database.executemany("INSERT INTO nights VALUES (?, ?, ?)", [(berth.name, day, code) for day in days])
            return self.find(code), True
        except BaseException:
            database.execute("ROLLBACK")
            raise
        finally:
            if database.in_transaction:
                database.execute("COMMIT")

    def find(self, code):
        """The booking with this confirmation code, or None."""
        row = self.connection().execute(
            "SELECT id, reference, boat, berth, arrival, nights, quote FROM bookings WHERE id = ?", (code,)
        ).fetchone()
        if row is None:
            return None
        names = ("id", "reference", "boat", "berth", "arrival", "nights")
        return {**dict(zip(names, row)), "quote": json.loads(row[6])}
