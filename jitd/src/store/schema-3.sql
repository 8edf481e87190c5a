-- Ends of windows that have not been carried through: something of their sessions may still run.
CREATE TABLE ending (
    grant_ TEXT PRIMARY KEY REFERENCES grant_ (id),
    body   TEXT NOT NULL
) STRICT;
