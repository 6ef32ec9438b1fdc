-- Parts that were not OK are few: their index holds all that a search asks of them, in the order that it answers.

DROP INDEX inspection_verdict;
CREATE INDEX inspection_verdict ON inspection (verdict, seq, recipe, version, label, at, score) WHERE verdict <> 'OK';

-- What retention looks for, so that it need not look at every row.
CREATE INDEX inspection_kept ON inspection (recipe, verdict, at) WHERE image_state = 'stored';
CREATE INDEX training_picture ON training (sha256);
