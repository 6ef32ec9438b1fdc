-- The time by which things are deleted, as it was known last (the class Lived): one row, or none at first.

CREATE TABLE lived (id INTEGER PRIMARY KEY CHECK (id = 1), at TEXT NOT NULL);
