-- Codes of approvers that were wrong: while they count against the request that they were typed for, or against the hour.
CREATE TABLE code_try (
    id   INTEGER PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
