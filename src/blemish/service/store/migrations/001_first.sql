-- The first form of a station's database. Times are UTC, RFC 3339 with milliseconds; order is by seq, never by time.

CREATE TABLE recipe (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  number INTEGER UNIQUE,                 -- what a PLC calls it
  title TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'open',    -- open | archived
  champion TEXT,                         -- the version that judges
  settings TEXT NOT NULL,                -- JSON
  revision INTEGER NOT NULL DEFAULT 1,   -- its ETag
  at TEXT NOT NULL
);

CREATE TABLE version (
  id TEXT PRIMARY KEY,
  recipe TEXT NOT NULL REFERENCES recipe (id),
  number INTEGER NOT NULL,
  parent TEXT,
  kind TEXT NOT NULL,                    -- fit | add | remove | calibrate | tune | upload
  sha256 TEXT NOT NULL,                  -- of the model file
  model TEXT NOT NULL,                   -- Model.version: what a result names
  info TEXT NOT NULL,                    -- JSON: images, threshold, promise, findings
  by TEXT NOT NULL,
  at TEXT NOT NULL,
  why TEXT NOT NULL,
  UNIQUE (recipe, number)
);

CREATE TABLE promotion (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  recipe TEXT NOT NULL,
  version TEXT NOT NULL,
  previous TEXT,
  by TEXT NOT NULL,
  at TEXT NOT NULL,
  reason TEXT NOT NULL
);
CREATE INDEX promotion_recipe ON promotion (recipe, seq);

-- Every file below images/ that this database knows. Nothing else is ever deleted.
CREATE TABLE picture (
  sha256 TEXT PRIMARY KEY,
  suffix TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE training (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  recipe TEXT NOT NULL REFERENCES recipe (id),
  sha256 TEXT NOT NULL,
  name TEXT NOT NULL,
  part TEXT,                             -- which part it shows, where several pictures show one
  facts TEXT NOT NULL,                   -- JSON: height, width, pixels, ...
  by TEXT NOT NULL,
  at TEXT NOT NULL,
  UNIQUE (recipe, sha256)
);

CREATE TABLE golden (
  id TEXT PRIMARY KEY,
  recipe TEXT NOT NULL REFERENCES recipe (id),
  sha256 TEXT NOT NULL,
  name TEXT NOT NULL,
  expected TEXT NOT NULL,                -- OK | NG
  by TEXT NOT NULL,
  at TEXT NOT NULL,
  UNIQUE (recipe, sha256)
);

CREATE TABLE inspection (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  at TEXT NOT NULL,
  recipe TEXT NOT NULL,
  version TEXT NOT NULL,
  verdict TEXT NOT NULL,
  score REAL,
  threshold REAL,
  review_threshold REAL,
  percentile REAL,
  serial TEXT,
  part TEXT,
  trigger TEXT,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,                    -- api | batch | try | v2 | line
  source TEXT NOT NULL,                  -- who sent it
  late INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  note TEXT,
  regions TEXT NOT NULL DEFAULT '[]',    -- JSON
  timings TEXT NOT NULL DEFAULT '{}',    -- JSON, milliseconds
  image_sha TEXT NOT NULL,
  image_state TEXT NOT NULL,             -- pending | stored | lost | expired | off
  idempotency TEXT,
  label TEXT                             -- the newest of its labels
);
CREATE UNIQUE INDEX inspection_idempotency ON inspection (recipe, idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX inspection_recipe ON inspection (recipe, seq, verdict, score, version, at);
CREATE INDEX inspection_verdict ON inspection (verdict, recipe, seq) WHERE verdict <> 'OK';
CREATE INDEX inspection_version ON inspection (version, seq);
CREATE INDEX inspection_serial ON inspection (serial, seq) WHERE serial IS NOT NULL;
CREATE INDEX inspection_label ON inspection (label, seq) WHERE label IS NOT NULL;
CREATE INDEX inspection_score ON inspection (score);
CREATE INDEX inspection_image ON inspection (image_sha);
CREATE INDEX inspection_state ON inspection (image_state, seq) WHERE image_state = 'pending';

-- Counts stay for ever; the first and last seq of an hour make a search by time quick.
CREATE TABLE hour (
  hour TEXT NOT NULL,                    -- 2026-11-26T23
  recipe TEXT NOT NULL,
  verdict TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  PRIMARY KEY (hour, recipe, verdict)
) WITHOUT ROWID;

CREATE TABLE label (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  inspection TEXT NOT NULL,
  label TEXT,                            -- good | bad | unsure; NULL takes the label back
  note TEXT NOT NULL,
  by TEXT NOT NULL,
  at TEXT NOT NULL
);
CREATE INDEX label_inspection ON label (inspection, seq);

CREATE TABLE job (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  recipe TEXT NOT NULL,
  kind TEXT NOT NULL,                    -- fit | add | remove | calibrate | tune | upload | preview
  state TEXT NOT NULL,                   -- queued | running | done | failed | cancelled
  ask TEXT NOT NULL,                     -- JSON
  step TEXT NOT NULL DEFAULT '',
  done INTEGER NOT NULL DEFAULT 0,
  total INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  result TEXT,                           -- JSON
  version TEXT,                          -- the version it made
  by TEXT NOT NULL,
  at TEXT NOT NULL,
  began TEXT,
  ended TEXT
);
CREATE INDEX job_state ON job (state, seq);
CREATE INDEX job_recipe ON job (recipe, seq);

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  about TEXT NOT NULL,
  before TEXT,                           -- JSON
  after TEXT,                            -- JSON
  hash TEXT NOT NULL                     -- sha256 of the hash before and of this row
);

CREATE TABLE user (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  role TEXT NOT NULL,                    -- viewer | operator | engineer
  password TEXT,                         -- scrypt; NULL: only by a login link
  lang TEXT NOT NULL DEFAULT 'en',
  at TEXT NOT NULL
);

CREATE TABLE session (
  sha256 TEXT PRIMARY KEY,               -- of the cookie
  user TEXT NOT NULL REFERENCES user (id),
  at TEXT NOT NULL,
  expires TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE token (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL UNIQUE,
  scope TEXT NOT NULL,                   -- inspect | read | admin
  by TEXT NOT NULL,
  at TEXT NOT NULL,
  revoked TEXT
);
