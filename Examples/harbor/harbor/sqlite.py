"""Bookings in a file of SQLite: one row per booking and night, so that two bookings never share a berth."""

import contextlib
import json
import sqlite3
import threading

SCHEMA = """
CREATE TABLE IF NOT EXISTS bookings (
  id TEXT PRIMARY KEY, reference TEXT NOT NULL UNIQUE, boat TEXT NOT NULL, berth TEXT NOT NULL,
  arrival TEXT NOT NULL, nights INTEGER NOT NULL, quote TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS nights (
  berth TEXT NOT NULL, day TEXT NOT NULL, booking TEXT NOT NULL REFERENCES bookings(id),
  PRIMARY KEY (berth, day));
"""
BUSY_TIMEOUT_SECONDS = 5


class Rows:
    """One connection per thread; SQLite serialises writers."""

    def __init__(self, path, columns):
        self.path = path
        self.columns = columns
        self.local = threading.local()
        self.connection().executescript(SCHEMA)
        self.add_columns()

    def connection(self):
        if not hasattr(self.local, "connection"):
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self.local.connection = connection
        return self.local.connection

    def add_columns(self):
        """A file that an older version made gets what it lacks."""
        with self.writing():
            present = {row[1] for row in self.connection().execute("PRAGMA table_info(bookings)")}
            for name in self.columns:
                if name not in present:
                    self.connection().execute("ALTER TABLE bookings ADD COLUMN %s" % name)

    def close(self):
        """Closes the calling thread's connection."""
        if hasattr(self.local, "connection"):
            self.local.connection.close()
            del self.local.connection

    def reading(self):
        return contextlib.nullcontext(self)

    @contextlib.contextmanager
    def writing(self):
        """No other writer comes between; an exception undoes everything."""
        database = self.connection()
        database.execute("BEGIN IMMEDIATE")
        try:
            yield self
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")

    def taken(self, first, last):
        """Names of the berths that are taken on a day from `first` to `last`."""
        rows = self.connection().execute(
            "SELECT DISTINCT berth FROM nights WHERE day BETWEEN ? AND ?", (first.isoformat(), last.isoformat())
        )
        return {row[0] for row in rows}

    def add(self, booking, days):
        database = self.connection()
        values = [json.dumps(booking[name]) if name == "quote" else booking[name] for name in self.columns]
        database.execute(
            "INSERT INTO bookings (%s) VALUES (%s)" % (", ".join(self.columns), ", ".join("?" for _ in values)), values
        )
        nights = [(booking["berth"], day.isoformat(), booking["id"]) for day in days]
        database.executemany("INSERT INTO nights (berth, day, booking) VALUES (?, ?, ?)", nights)

    def find(self, code):
        row = self.connection().execute(
            "SELECT %s FROM bookings WHERE id = ?" % ", ".join(self.columns), (code,)
        ).fetchone()
        if row is None:
            return None
        booking = dict(zip(self.columns, row))
        return {**booking, "quote": json.loads(booking["quote"])}
