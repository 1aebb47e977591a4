"""A harmonic tide model: the height above chart datum is a sum of cosines, one per constituent.

Speeds are those of the astronomical constituents in degrees per mean solar hour (Schureman, "Manual of Harmonic
Analysis and Prediction of Tides", 1958, table 2). Amplitudes and phases belong to this made-up harbor.
"""

import datetime
import functools
import math

MEAN_LEVEL_METRES = 2.90
# name, speed in degrees per hour, amplitude in metres, phase in degrees
CONSTITUENTS = (
    ("M2", 28.9841042, 1.42, 114.0),
    ("S2", 30.0000000, 0.47, 158.0),
    ("N2", 28.4397295, 0.29, 92.0),
    ("K1", 15.0410686, 0.11, 201.0),
    ("O1", 13.9430356, 0.09, 47.0),
)
EPOCH = datetime.date(2000, 1, 1)
STEP_MINUTES = 10


def hours_since_epoch(day):
    return (day - EPOCH).days * 24.0


def height(hours):
    """Metres above chart datum, `hours` after the epoch (UTC)."""
    total = MEAN_LEVEL_METRES
    for _, speed, amplitude, phase in CONSTITUENTS:
        total += amplitude * math.cos(math.radians(speed * hours - phase))
    return total


@functools.lru_cache(maxsize=64)
def extremes(day):
    """The high and low waters of a day (UTC), in order: tuples (minute of the day, height in metres, kind)."""
    start = hours_since_epoch(day)
    minutes = range(-STEP_MINUTES, 24 * 60 + STEP_MINUTES + 1, STEP_MINUTES)
    samples = [height(start + minute / 60) for minute in minutes]
    found = []
    for index in range(1, len(samples) - 1):
        before, here, after = samples[index - 1 : index + 2]
        high = before < here >= after
        low = before > here <= after
        if not high and not low:
            continue
        # The vertex of the parabola through three samples is the turn of the tide, to within a minute.
        shift = 0.5 * (before - after) / (before - 2 * here + after)
        minute = round(minutes[index] + shift * STEP_MINUTES)
        if 0 <= minute < 24 * 60:
            found.append((minute, height(start + minute / 60), "high" if high else "low"))
    return tuple(found)


def lowest(day):
    """The lowest water of a day, metres above chart datum."""
    return min(water for _, water, kind in extremes(day) if kind == "low")


def table(day):
    """The day's tide table as the API shows it."""
    return [
        {"time": "%02d:%02d" % divmod(minute, 60), "metres": round(water, 2), "kind": kind}
        for minute, water, kind in extremes(day)
    ]
