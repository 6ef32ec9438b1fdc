-- Many parts may share a serial number (a batch's, or what a reader says where it reads nothing): the index holds all that
-- a search asks of them, so that none of their wide rows is read in vain. Parts without a serial number are not in it.

DROP INDEX inspection_serial;
CREATE INDEX inspection_serial ON inspection (serial, seq, verdict, recipe, version, score, label, at) WHERE serial IS NOT NULL;
