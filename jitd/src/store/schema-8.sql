-- The policy that waits for approvals, and the override that waits to be acknowledged: one row while there is either.
CREATE TABLE policy_change (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL
) STRICT;
