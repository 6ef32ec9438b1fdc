-- Parts are counted by their kind, so that a line's counts are those of the line alone, without batches and try-outs. What
-- was counted before is split by the rows that are left; those that retention took away count as single calls (api).

CREATE TABLE hour_by_kind (
  hour TEXT NOT NULL,                    -- 2026-11-26T23
  recipe TEXT NOT NULL,
  verdict TEXT NOT NULL,
  kind TEXT NOT NULL,                    -- api | v2 | batch | try
  count INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  PRIMARY KEY (hour, recipe, verdict, kind)
) WITHOUT ROWID;

INSERT INTO hour_by_kind
  SELECT substr(at, 1, 13), recipe, verdict, kind, count(*), min(seq), max(seq) FROM inspection
  WHERE kind <> 'api' GROUP BY 1, 2, 3, 4;
INSERT INTO hour_by_kind
  SELECT hour, recipe, verdict, 'api', count - others, first_seq, last_seq FROM
    (SELECT *, (SELECT ifnull(sum(count), 0) FROM hour_by_kind AS other WHERE other.hour = hour.hour
                AND other.recipe = hour.recipe AND other.verdict = hour.verdict) AS others FROM hour)
  WHERE count > others;
DROP TABLE hour;
ALTER TABLE hour_by_kind RENAME TO hour;

-- These indexes hold the kind too: many a batch is larger than what a search reads of a line.
DROP INDEX inspection_recipe;
CREATE INDEX inspection_recipe ON inspection (recipe, seq, verdict, score, version, at, kind);
DROP INDEX inspection_verdict;
CREATE INDEX inspection_verdict ON inspection (verdict, seq, recipe, version, label, at, score, kind) WHERE verdict <> 'OK';
DROP INDEX inspection_serial;
CREATE INDEX inspection_serial ON inspection (serial, seq, verdict, recipe, version, score, label, at, kind)
  WHERE serial IS NOT NULL;
CREATE INDEX inspection_kind ON inspection (kind, seq, verdict, recipe, version, score, label, at)
  WHERE kind IN ('batch', 'try');
