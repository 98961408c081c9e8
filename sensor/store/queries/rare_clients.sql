-- Ways to write a request (order of its headers) that few requests have: tools among browsers.
-- param limit = 20: rows
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT fingerprint, count() AS transactions, uniqExact(remote_ip) AS addresses, any(user_agent) AS user_agent, topK(3)(endpoint) AS endpoints
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
    AND fingerprint != ''
GROUP BY fingerprint
ORDER BY transactions, fingerprint
LIMIT {limit:UInt32}
