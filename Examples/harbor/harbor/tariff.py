"""What a berth costs, in whole cents. Lengths are metres, stays are nights."""

MIN_LENGTH, MAX_LENGTH = 3.0, 40.0
MIN_NIGHTS, MAX_NIGHTS = 1, 60

# (upper bound of the length in metres, cents for one night); the last band takes every longer boat.
BANDS = (
    (6.0, 1400),
    (8.0, 1900),
    (10.0, 2500),
    (12.0, 3300),
    (15.0, 4600),
    (20.0, 7200),
    (MAX_LENGTH, 12500),
)

HARBOR_DUES_CENTS = 350  # once per stay
VAT_PERCENT = 7


class OutOfRange(ValueError):
    """A length or a stay that this harbor does not take; the text is for the caller."""


def nightly_cents(length):
    """The price of one night for a boat of `length` metres, before rebates and tax."""
    check_length(length)
    for upper, cents in BANDS:
        if length <= upper:
            return cents
    raise OutOfRange("no band takes a boat of %g m" % length)


def check_length(length):
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        raise OutOfRange("length is %g m; this harbor takes %g to %g m" % (length, MIN_LENGTH, MAX_LENGTH))


def check_nights(nights):
    if not MIN_NIGHTS <= nights <= MAX_NIGHTS:
        raise OutOfRange("nights is %d; this harbor takes %d to %d nights" % (nights, MIN_NIGHTS, MAX_NIGHTS))


def stay_rebate_percent(nights):
    """What a long stay takes off the nightly price."""
    if nights >= 28:
        return 15
    if nights >= 7:
        return 5
    return 0


def quote(length, nights, discount_percent=0):
    """The full price of a stay with each of its parts; the parts add up to `totalCents` exactly."""
    check_nights(nights)
    rate = nightly_cents(length)

    gross = rate * nights
    rebate = gross * stay_rebate_percent(nights) // 100

    discount = (gross - rebate) * discount_percent // 100
    net = gross - rebate - discount + HARBOR_DUES_CENTS
    tax = (net * VAT_PERCENT + 50) // 100
    return {
        "nightlyCents": rate,
        "nights": nights,
        "grossCents": gross,
        "rebateCents": rebate,
        "discountCents": discount,
        "duesCents": HARBOR_DUES_CENTS,
        "taxCents": tax,
        "totalCents": net + tax,
    }
