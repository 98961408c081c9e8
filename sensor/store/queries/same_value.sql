-- Sensitive values that several actors used, by their keyed hash: one card or password in many hands.
-- param limit = 20: rows
-- param hours = 24: hours, back from the newest transaction; 0 for all
-- param least = 2: actors at the least
SELECT arrayJoin(sensitive) AS value, uniqExact(actor) AS actors, uniqExact(remote_ip) AS addresses, sum(stands_for) AS transactions
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
    AND notEmpty(sensitive)
GROUP BY value
HAVING actors >= {least:UInt32}
ORDER BY actors DESC, transactions DESC, value
LIMIT {limit:UInt32}
