import os
import tempfile
import unittest

from harbor import bookings, tariff


def request(reference="r-1", **changes):
    return {
        "reference": reference,
        "boat": "Otter",
        "length": 9.5,
        "draft": 1.6,
        "arrival": "2026-07-14",
        "nights": 3,
        **changes,
    }


class BookingsTests(unittest.TestCase):
    def setUp(self):
        self.book = bookings.Book(self.place(), "key")
        self.addCleanup(self.book.close)

    def place(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return os.path.join(folder.name, "book.sqlite")

    def test_a_booking_is_found_by_its_code(self):
        booking, new = self.book.add(request())
        self.assertTrue(new)
        self.assertEqual(self.book.find(booking["id"]), booking)
        self.assertEqual(booking["quote"]["nights"], 3)

    def test_the_same_reference_books_once(self):
        first, _ = self.book.add(request())
        again, new = self.book.add(request())
        self.assertEqual((again, new), (first, False))

    def test_overlapping_stays_get_different_berths(self):
        first, _ = self.book.add(request("r-1"))
        second, _ = self.book.add(request("r-2", arrival="2026-07-16"))
        third, _ = self.book.add(request("r-3", arrival="2026-07-17"))
        self.assertNotEqual(first["berth"], second["berth"])
        self.assertEqual(first["berth"], third["berth"])

    def test_a_full_harbor_says_so(self):
        with self.assertRaises(bookings.Full):
            for number in range(49):
                self.book.add(request("r-%d" % number))

    def test_bad_requests(self):
        for changes in ({"boat": ""}, {"draft": 0}, {"length": "9"}, {"nights": True}, {"arrival": "tomorrow"}):
            with self.assertRaises(bookings.Invalid, msg=changes):
                self.book.add(request(**changes))
        with self.assertRaises(bookings.Invalid):
            self.book.add([])
        with self.assertRaises(tariff.OutOfRange):
            self.book.add(request(nights=61))

    def test_the_code_depends_on_the_key(self):
        other = bookings.Book(self.book.path, "another key")
        self.addCleanup(other.close)
        self.assertNotEqual(other.confirmation("r-1"), self.book.confirmation("r-1"))


if __name__ == "__main__":
    unittest.main()
