-- Signed statements: the serials that are spent, and those that were revoked, whether their grants have come or not. Neither
-- is ever deleted: what is forgotten could count a second time. That of a lock stands behind 'lock:'.
CREATE TABLE taken (
    serial TEXT PRIMARY KEY,
    body   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstone (
    serial TEXT PRIMARY KEY,
    body   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Since when that is known: one row, from the first record on. Of a store of before, since its first record, or since it
-- was last found on a machine that it was not written on; whether the clock was right then nobody has said.
CREATE TABLE since (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL
) STRICT;

INSERT INTO since
SELECT 1, json_object('at', json_extract(CAST(bytes AS TEXT), '$.time'), 'went_back', json('true'))
FROM audit
WHERE json_valid(CAST(bytes AS TEXT)) AND json_extract(CAST(bytes AS TEXT), '$.event') = 'elsewhere'
ORDER BY seq DESC LIMIT 1;

INSERT OR IGNORE INTO since
SELECT 1, json_object('at', json_extract(CAST(bytes AS TEXT), '$.time'))
FROM audit
WHERE json_valid(CAST(bytes AS TEXT)) AND json_extract(CAST(bytes AS TEXT), '$.time') IS NOT NULL
ORDER BY seq LIMIT 1;
