-- A request ends in more ways than by being taken back, and an emergency owes a review after it has opened.
CREATE TABLE request_2 (
    id      TEXT PRIMARY KEY,
    filed   INTEGER NOT NULL,            -- place in time: the order of filing
    uid     INTEGER NOT NULL,            -- of the beneficiary
    user    TEXT NOT NULL,
    body    TEXT NOT NULL,               -- the request as JSON
    bytes   BLOB NOT NULL,               -- the exact bytes that were reviewed
    state   TEXT NOT NULL CHECK (state IN ('pending', 'opened', 'owed', 'closed')),
    closed  TEXT,                        -- when it ended without having opened
    how     TEXT CHECK (how IN ('withdrawn', 'denied', 'lapsed'))
) STRICT;
INSERT INTO request_2
    SELECT id, filed, uid, user, body, bytes, replace(state, 'withdrawn', 'closed'), closed,
           CASE state WHEN 'withdrawn' THEN 'withdrawn' END
    FROM request;
DROP TABLE request;
ALTER TABLE request_2 RENAME TO request;
CREATE INDEX request_by_state ON request (state);
CREATE INDEX request_by_uid ON request (uid);
CREATE INDEX request_by_filed ON request (filed);

-- When a review ceased to count, because whoever gave it was no longer asked.
ALTER TABLE review ADD COLUMN discounted TEXT;

CREATE TABLE lock (
    scope TEXT PRIMARY KEY,
    body  TEXT NOT NULL
) STRICT;

-- Logins that a grant admitted and that have not been seen to end.
CREATE TABLE session (
    id   INTEGER PRIMARY KEY,            -- seq of the record that opened it
    body TEXT NOT NULL
) STRICT;

-- The trial of a policy that runs, or the last one that went back. At most one row: it is gone once it is settled.
CREATE TABLE tried (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL                   -- as JSON
) STRICT;

-- What the wall clock is judged by: one row. Not state, which comes from the records alone: between two of them the
-- clock goes on, and that is written here once a minute.
CREATE TABLE clock (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL
) STRICT;
