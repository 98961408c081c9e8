-- Who asks most: token, session or address.
-- param limit = 20: rows
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT actor, count() AS transactions, uniq(host, method, transactions.endpoint) AS endpoints, uniq(remote_ip) AS addresses, min(ts) AS first_seen, max(ts) AS last_seen
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
GROUP BY actor
ORDER BY transactions DESC, actor
LIMIT {limit:UInt32}
