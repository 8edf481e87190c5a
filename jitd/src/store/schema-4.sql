-- Who is here by windows, since when, and whether they lingered before: what was there before they came is not theirs.
CREATE TABLE stay (
    uid  INTEGER PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

-- Of those who are here already it was not noted. They are taken to have come with their first session that is known,
-- or else with the beginning of their window, and not to have lingered.
INSERT OR IGNORE INTO stay
    SELECT json_extract(body, '$.login.uid'),
           json_object('uid', json_extract(body, '$.login.uid'), 'user', json_extract(body, '$.login.user'),
                       'since', json(json_extract(body, '$.at')))
    FROM session WHERE json_extract(body, '$.login.uid') > 0 ORDER BY id;
INSERT OR IGNORE INTO stay
    SELECT json_extract(body, '$.uid'),
           json_object('uid', json_extract(body, '$.uid'), 'user', json_extract(body, '$.user'),
                       'since', json(json_extract(body, '$.since')))
    FROM ending WHERE json_extract(body, '$.uid') > 0 ORDER BY json_extract(body, '$.since.boot_ms');
INSERT OR IGNORE INTO stay
    SELECT json_extract(body, '$.uid'),
           json_object('uid', json_extract(body, '$.uid'), 'user', json_extract(body, '$.user'),
                       'since', json(json_extract(body, '$.window.start')))
    FROM grant_ WHERE ended IS NULL AND json_extract(body, '$.uid') > 0
        AND json_extract(body, '$.window.start') IS NOT NULL
    ORDER BY json_extract(body, '$.window.start.boot_ms');
