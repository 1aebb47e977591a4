"""Berth bookings of a small harbor: berths, tides, tariff and bookings behind HTTP."""
