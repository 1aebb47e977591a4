-- Bookings, and one row for each of their nights: no two bookings share a berth.
CREATE TABLE bookings (
  id text PRIMARY KEY,
  reference text NOT NULL UNIQUE,
  boat text NOT NULL,
  berth text NOT NULL,
  arrival date NOT NULL,
  nights integer NOT NULL,
  quote jsonb NOT NULL
);

CREATE TABLE nights (
  berth text NOT NULL,
  day date NOT NULL,
  booking text NOT NULL REFERENCES bookings (id),
  PRIMARY KEY (berth, day)
);
