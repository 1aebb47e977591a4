"""Bookings in PostgreSQL, for every instance of an environment alike. db/migrations makes the schema, never this code."""

import contextlib
import threading

import psycopg2.extras
import psycopg2.pool

# Per instance: enough for its few queries at a time, little enough that many instances share one server.
CONNECTIONS = 4
# Held while a berth is chosen and taken, so that no two bookings choose the same one; any number that nobody else uses.
CHOOSING = 4211


class Rows:
    def __init__(self, url, columns):
        self.columns = columns
        try:
            self.pool = psycopg2.pool.ThreadedConnectionPool(1, CONNECTIONS, url)
        except psycopg2.Error as error:
            raise OSError("the database cannot be reached: %s" % str(error).strip()) from None
        self.free = threading.BoundedSemaphore(CONNECTIONS)

    def close(self):
        """Connections belong to no thread; there is nothing to close."""

    @contextlib.contextmanager
    def reading(self):
        """One transaction; an exception undoes everything."""
        with self.free:
            connection = self.pool.getconn()
            try:
                with connection, connection.cursor() as cursor:
                    yield Session(cursor, self.columns)
            finally:
                self.pool.putconn(connection, close=connection.closed != 0)

    @contextlib.contextmanager
    def writing(self):
        """As `reading`, and no other writer comes between."""
        with self.reading() as session:
            session.cursor.execute("SELECT pg_advisory_xact_lock(%s)", (CHOOSING,))
            yield session


class Session:
    def __init__(self, cursor, columns):
        self.cursor = cursor
        self.columns = columns

    def taken(self, first, last):
        """Names of the berths that are taken on a day from `first` to `last`."""
        self.cursor.execute("SELECT DISTINCT berth FROM nights WHERE day BETWEEN %s AND %s", (first, last))
        return {row[0] for row in self.cursor}

    def add(self, booking, days):
        values = [psycopg2.extras.Json(booking[name]) if name == "quote" else booking[name] for name in self.columns]
        self.cursor.execute(
            "INSERT INTO bookings (%s) VALUES (%s)" % (", ".join(self.columns), ", ".join("%s" for _ in values)), values
        )
        for day in days:
            self.cursor.execute(
                "INSERT INTO nights (berth, day, booking) VALUES (%s, %s, %s)", (booking["berth"], day, booking["id"])
            )

    def find(self, code):
        self.cursor.execute("SELECT %s FROM bookings WHERE id = %%s" % ", ".join(self.columns), (code,))
        row = self.cursor.fetchone()
        if row is None:
            return None
        booking = dict(zip(self.columns, row))
        return {**booking, "arrival": booking["arrival"].isoformat()}
