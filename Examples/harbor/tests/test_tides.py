import datetime
import unittest

from harbor import tides

DAY = datetime.date(2026, 7, 14)


class TidesTests(unittest.TestCase):
    def test_high_and_low_alternate(self):
        kinds = [kind for _, _, kind in tides.extremes(DAY)]
        self.assertIn(len(kinds), (3, 4))
        self.assertTrue(all(first != second for first, second in zip(kinds, kinds[1:])), kinds)

    def test_extremes_bound_the_day(self):
        start = tides.hours_since_epoch(DAY)
        turns = tides.extremes(DAY)
        for minute, water, kind in turns:
            for near in (minute - 5, minute + 5):
                level = tides.height(start + near / 60)
                self.assertTrue(level <= water if kind == "high" else level >= water)
        self.assertAlmostEqual(tides.lowest(DAY), min(water for _, water, _ in turns))

    def test_springs_differ_more_than_neaps(self):
        ranges = []
        for offset in range(15):
            waters = [water for _, water, _ in tides.extremes(DAY + datetime.timedelta(days=offset))]
            ranges.append(max(waters) - min(waters))
        self.assertGreater(max(ranges), 1.5 * min(ranges))

    def test_table_reads_as_times(self):
        for row in tides.table(DAY):
            self.assertRegex(row["time"], r"^[0-2]\d:[0-5]\d$")


if __name__ == "__main__":
    unittest.main()
