-- The score as a multiple of the threshold, as the result said it: of scores without a zero there is none (NULL). Which
-- of the rows before this have such scores is not known any more, so they have none either.

ALTER TABLE inspection ADD COLUMN times_threshold REAL;
