-- The Merkle tree over the log as far as appending to it takes (RFC 6962): the roots of the perfect trees that the
-- records come to, from the left. One row, written with the records; made of those that are there by the migration.
CREATE TABLE tree (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    size  INTEGER NOT NULL,
    peaks BLOB NOT NULL
) STRICT;

-- The public half of the key that signs checkpoints of the log: one row, once there is a key. A host.key that is
-- missing, or another, is found by it.
CREATE TABLE host_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    key TEXT NOT NULL
) STRICT;

-- Which records a story is told by: that of a request (r-…) or of a session (s-, the number of the record that opened
-- it). Not state: it says where to look.
CREATE TABLE about (
    id  TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES audit (seq),
    PRIMARY KEY (id, seq)
) STRICT, WITHOUT ROWID;
