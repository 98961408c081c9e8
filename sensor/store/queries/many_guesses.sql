-- Actors that tried many different passwords or codes: guesses by their keyed hashes, and how many were refused.
-- param limit = 20: rows
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT host, endpoint, actor, uniqExactIf(value, startsWith(value, 'password:') OR startsWith(value, 'otp:')) AS guesses,
    uniqExactIf(value, startsWith(value, 'email:')) AS accounts, uniqExact(community_id, serial) AS transactions,
    uniqExactIf((community_id, serial), status >= 400 OR refused = 'refused') AS were_refused
FROM
(
    SELECT host, endpoint, actor, community_id, serial, status, refused, arrayJoin(sensitive) AS value
    FROM transactions
    WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
)
GROUP BY host, endpoint, actor
HAVING guesses > 1
ORDER BY guesses DESC, transactions DESC, host, endpoint, actor
LIMIT {limit:UInt32}
