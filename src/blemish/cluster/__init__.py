"""Work on several machines by Ray (extra `ray`): the same rows, thresholds and verdicts as on one."""
