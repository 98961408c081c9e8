-- Tokens and sessions that are used from many addresses: shared, stolen, or a proxy in between.
-- param least = 3: addresses at least
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT actor, uniq(remote_ip) AS addresses, count() AS transactions, uniq(host, method, transactions.endpoint) AS endpoints, min(ts) AS first_seen, max(ts) AS last_seen
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
GROUP BY actor
HAVING addresses >= {least:UInt32}
ORDER BY addresses DESC, actor
