-- Every record of the audit log: its exact bytes and the RFC 6962 leaf over them.
CREATE TABLE audit (
    seq   INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL,
    leaf  BLOB NOT NULL CHECK (length(leaf) = 32)
) STRICT;

-- A record is written once and stays.
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'audit records are never changed'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'audit records are never deleted'); END;

CREATE TABLE request (
    id      TEXT PRIMARY KEY,
    filed   INTEGER NOT NULL,            -- place in time: the order of filing
    uid     INTEGER NOT NULL,            -- of the beneficiary
    user    TEXT NOT NULL,
    body    TEXT NOT NULL,               -- the request as JSON
    bytes   BLOB NOT NULL,               -- the exact bytes that were reviewed
    state   TEXT NOT NULL CHECK (state IN ('pending', 'opened', 'withdrawn')),
    closed  TEXT                         -- when it was withdrawn
) STRICT;
CREATE INDEX request_by_state ON request (state);
CREATE INDEX request_by_uid ON request (uid);
CREATE INDEX request_by_filed ON request (filed);

CREATE TABLE review (
    request TEXT NOT NULL REFERENCES request (id),
    at      TEXT NOT NULL,
    body    TEXT NOT NULL                -- the review as JSON
) STRICT;
CREATE INDEX review_by_request ON review (request);

-- A grant has the digits of its request; `request` is the request's id.
CREATE TABLE grant_ (
    id      TEXT PRIMARY KEY,
    request TEXT NOT NULL UNIQUE REFERENCES request (id),
    body    TEXT NOT NULL,               -- the grant as it opened, as JSON
    used    INTEGER NOT NULL DEFAULT 0,
    ended   TEXT,                        -- when; NULL while it lives
    why     TEXT
) STRICT;
CREATE INDEX grant_alive ON grant_ (id) WHERE ended IS NULL;

CREATE TABLE claim (
    id    INTEGER PRIMARY KEY,           -- seq of the record that made it
    grant_ TEXT NOT NULL REFERENCES grant_ (id),
    body  TEXT NOT NULL
) STRICT;

-- Policies in the order they came into force; the last one carries on when the files do not load.
CREATE TABLE policy (
    nr     INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    at     TEXT NOT NULL,
    files  TEXT NOT NULL                 -- names and exact texts as JSON
) STRICT;

-- How far each log has taken the records. Not state: losing it only sends some again.
CREATE TABLE sink (
    name TEXT PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT;
