"""Quotes for who has the flag `quick-quote`: looked up in a table that is worked out once, instead of anew each time."""

import functools

from harbor import tariff

# The table was made for the stays of a summer. It knows nothing of longer ones, which the tariff takes.
TABLE_NIGHTS = 21


@functools.lru_cache(maxsize=4096)
def table(length, discount_percent):
    return [tariff.quote(length, nights, discount_percent) for nights in range(1, TABLE_NIGHTS + 1)]


def quote(length, nights, discount_percent=0):
    """As `tariff.quote`, from the table."""
    tariff.check_nights(nights)
    return table(length, discount_percent)[nights - 1]
