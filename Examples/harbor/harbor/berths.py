"""The berths of the harbor and which of them a boat fits."""

import dataclasses

from harbor import tides

LENGTH_MARGIN = 1.10  # a berth is a tenth longer than the boat, for lines and fenders
KEEL_CLEARANCE_METRES = 0.30


@dataclasses.dataclass(frozen=True)
class Berth:
    name: str
    length: float  # metres
    depth: float  # metres below chart datum; negative dries


def fleet():
    """Four piers; berths grow longer and deeper towards their heads."""
    berths = []
    for pier, (letter, shortest, shallowest) in enumerate((("A", 5, -0.4), ("B", 7, 0.4), ("C", 9, 1.2), ("D", 12, 2.0))):
        for number in range(1, 13):
            berths.append(
                Berth(
                    name="%s%d" % (letter, number),
                    length=shortest + 0.6 * (number - 1) * (1 + pier),
                    depth=round(shallowest + 0.12 * (number - 1), 2),
                )
            )
    return tuple(berths)


BERTHS = fleet()


def fits(berth, length, draft, low_water):
    return berth.length >= length * LENGTH_MARGIN and berth.depth + low_water >= draft + KEEL_CLEARANCE_METRES


def search(length, draft, day):
    """Berths for a boat that stay deep enough through the lowest water of `day`; the tightest fit first."""
    low_water = tides.lowest(day)
    found = [berth for berth in BERTHS if fits(berth, length, draft, low_water)]
    return sorted(found, key=lambda berth: (berth.length, berth.depth, berth.name))


def describe(berth, low_water):
    """A berth as the API shows it."""
    return {
        "name": berth.name,
        "length": round(berth.length, 2),
        "waterAtLow": round(berth.depth + low_water, 2),
    }
