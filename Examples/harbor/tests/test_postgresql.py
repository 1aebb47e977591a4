"""The same tests on PostgreSQL, where DATABASE_URL names a database that has every migration."""

import os
import unittest

from tests import test_bookings, test_server

URL = os.environ.get("DATABASE_URL", "")


def clean():
    """Empties the tables, past whoever records what the service sends."""
    import psycopg2

    connection = psycopg2.connect(os.environ.get("DATABASE_DIRECT", URL))
    with connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE bookings, nights")
    connection.close()


@unittest.skipUnless(URL, "DATABASE_URL is not set")
class BookingsTests(test_bookings.BookingsTests):
    def place(self):
        clean()
        return URL


@unittest.skipUnless(URL, "DATABASE_URL is not set")
class ServerTests(test_server.ServerTests):
    def settings(self):
        clean()
        return {**super().settings(), "DATABASE_URL": URL}


if __name__ == "__main__":
    unittest.main()
