"""The book: who may book what. Its rows lie in a file of SQLite, or in PostgreSQL when the place is a URL."""

import datetime
import hashlib
import hmac

from harbor import berths, tariff

FIELDS = {"reference": str, "boat": str, "length": (int, float), "draft": (int, float), "arrival": str, "nights": int}
OPTIONAL = {}
# Of a booking, as they are written and read.
COLUMNS = ("id", "reference", "boat", "berth", "arrival", "nights", "quote")
MAX_TEXT = 80


class Invalid(ValueError):
    """A request that cannot be understood; the text is for the caller."""


class Full(Exception):
    """No berth is free that fits; the text is for the caller."""


def parse(request):
    """A booking request with each field checked."""
    if not isinstance(request, dict):
        raise Invalid("the body must be a JSON object")
    for field, kind in {**FIELDS, **OPTIONAL}.items():
        if field not in request:
            if field in OPTIONAL:
                continue
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
    """What is booked. `path` is a file, or `postgresql://…`."""

    def __init__(self, path, key, discount_percent=0):
        self.path = path
        self.key = key
        self.discount_percent = discount_percent
        self.rows = rows(path)

    def close(self):
        """Gives back what the calling thread holds."""
        self.rows.close()

    def confirmation(self, reference):
        """The short code that a boat shows at the gate; only who holds the key can make it."""
        return hmac.new(self.key.encode(), reference.encode(), hashlib.sha256).hexdigest()[:12].upper()

    def add(self, request):
        """Books the tightest free berth: (booking, whether it is new). A known reference returns its booking."""
        boat = parse(request)
        quote = tariff.quote(boat["length"], boat["nights"], self.discount_percent)
        days = [boat["arrival"] + datetime.timedelta(days=night) for night in range(boat["nights"])]
        choices = berths.search(boat["length"], boat["draft"], boat["arrival"])
        code = self.confirmation(boat["reference"])
        with self.rows.writing() as rows:
            known = rows.find(code)
            if known is not None:
                return known, False
            taken = rows.taken(days[0], days[-1])
            berth = next((berth for berth in choices if berth.name not in taken), None)
            if berth is None:
                raise Full("no berth of %g m and %g m draft is free from %s" % (boat["length"], boat["draft"], days[0]))
            booking = {
                "id": code,
                "reference": boat["reference"],
                "boat": boat["boat"],
                "berth": berth.name,
                "arrival": days[0].isoformat(),
                "nights": boat["nights"],
                "quote": quote,
            }
            rows.add(booking, days)
            return booking, True

    def find(self, code):
        """The booking with this confirmation code, or None."""
        with self.rows.reading() as rows:
            return rows.find(code)


def rows(path):
    if path.startswith(("postgresql://", "postgres://")):
        from harbor import postgresql  # needs psycopg2, which nobody needs without a database

        return postgresql.Rows(path, COLUMNS)
    from harbor import sqlite

    return sqlite.Rows(path, COLUMNS)
