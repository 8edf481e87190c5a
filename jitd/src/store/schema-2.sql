-- The trial of a policy that runs, or the last one that went back. At most one row: it is gone once it is settled.
CREATE TABLE tried (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL                   -- as JSON
) STRICT;
