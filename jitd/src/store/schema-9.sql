-- Records that were moved into an archive: their leaves stay, so that every root and every proof can still be told.
CREATE TABLE archived_leaf (
    seq  INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL CHECK (length(leaf) = 32)
) STRICT;

-- The archives, one behind the other from the first record on. `body` is what the record of it says, as JSON.
CREATE TABLE archive (
    first INTEGER PRIMARY KEY,
    end_  INTEGER NOT NULL CHECK (end_ > first),
    body  TEXT NOT NULL
) STRICT;

CREATE TRIGGER archived_leaf_is_append_only BEFORE UPDATE ON archived_leaf
BEGIN SELECT raise(ABORT, 'leaves of audit records are never changed'); END;
CREATE TRIGGER archived_leaf_is_kept BEFORE DELETE ON archived_leaf
BEGIN SELECT raise(ABORT, 'leaves of audit records are never deleted'); END;
CREATE TRIGGER archive_is_append_only BEFORE UPDATE ON archive
BEGIN SELECT raise(ABORT, 'archives are never changed'); END;
CREATE TRIGGER archive_is_kept BEFORE DELETE ON archive
BEGIN SELECT raise(ABORT, 'archives are never forgotten'); END;
CREATE TRIGGER archive_goes_on BEFORE INSERT ON archive
WHEN new.first <> (SELECT coalesce(max(end_), 0) FROM archive)
BEGIN SELECT raise(ABORT, 'an archive begins where the one before it ended'); END;

-- A record leaves only where an archive has it and its leaf stays.
DROP TRIGGER IF EXISTS audit_is_kept;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM archived_leaf WHERE seq = old.seq AND leaf = old.leaf)
    OR NOT EXISTS (SELECT 1 FROM archive WHERE first <= old.seq AND old.seq < end_)
BEGIN SELECT raise(ABORT, 'audit records are never deleted'); END;

-- Stories go on to say which records tell them, wherever those are.
CREATE TABLE about_2 (
    id  TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO about_2 SELECT id, seq FROM about;
DROP TABLE about;
ALTER TABLE about_2 RENAME TO about;
