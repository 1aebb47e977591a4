import datetime
import unittest

from harbor import berths

DAY = datetime.date(2026, 7, 14)


class BerthsTests(unittest.TestCase):
    def test_names_are_unique(self):
        self.assertEqual(len({berth.name for berth in berths.BERTHS}), 48)

    def test_margin_and_keel_clearance(self):
        berth = berths.Berth("X1", 11.0, 1.0)
        self.assertTrue(berths.fits(berth, 10.0, 2.0, low_water=1.3))
        self.assertFalse(berths.fits(berth, 10.1, 2.0, low_water=1.3))
        self.assertFalse(berths.fits(berth, 10.0, 2.0, low_water=1.2))

    def test_tightest_fit_first(self):
        found = berths.search(8.0, 1.5, DAY)
        self.assertGreater(len(found), 5)
        self.assertEqual(found, sorted(found, key=lambda berth: (berth.length, berth.depth, berth.name)))

    def test_nothing_for_a_deep_giant(self):
        self.assertEqual(berths.search(39.0, 9.0, DAY), [])

    def test_description(self):
        described = berths.describe(berths.Berth("X1", 11.0, 1.0), 0.5)
        self.assertEqual((described["name"], described["length"], described["waterAtLow"]), ("X1", 11.0, 1.5))


if __name__ == "__main__":
    unittest.main()
