-- When people last had their roles: one row for each role and person. It is never deleted, since what policy says of a rest
-- counts from it whenever that comes into force. Of what ended before this was kept nothing stands here.
CREATE TABLE earlier (
    role   TEXT NOT NULL,
    uid    INTEGER NOT NULL,
    user   TEXT NOT NULL,
    person TEXT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (role, uid, user, person)
) STRICT, WITHOUT ROWID;
