import unittest

from harbor import tariff


class TariffTests(unittest.TestCase):
    def test_bands_include_their_upper_bound(self):
        for length, cents in ((3, 1400), (6, 1400), (6.1, 1900), (12, 3300), (20.01, 12500), (40, 12500)):
            self.assertEqual(tariff.nightly_cents(length), cents, length)

    def test_long_stays_are_cheaper(self):
        for nights, percent in ((1, 0), (6, 0), (7, 5), (14, 5), (27, 5), (28, 15)):
            self.assertEqual(tariff.stay_rebate_percent(nights), percent, nights)

    def test_parts_add_up(self):
        price = tariff.quote(11.5, 9, discount_percent=10)
        net = price["grossCents"] - price["rebateCents"] - price["discountCents"] + price["duesCents"]
        self.assertEqual(price["totalCents"], net + price["taxCents"])
        self.assertEqual(price["totalCents"], 27546)

    def test_outside_the_harbor(self):
        for length, nights in ((2.9, 1), (40.1, 1), (10, 0), (10, 61)):
            with self.assertRaises(tariff.OutOfRange):
                tariff.quote(length, nights)


if __name__ == "__main__":
    unittest.main()
