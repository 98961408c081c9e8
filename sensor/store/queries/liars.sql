-- User agents that are sent with several orders of headers: one of them lies about what it is.
-- param least = 2: orders at least
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT user_agent, uniqExact(fingerprint) AS fingerprints, uniqExact(remote_ip) AS addresses, count() AS transactions
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
    AND fingerprint != '' AND user_agent != ''
GROUP BY user_agent
HAVING fingerprints >= {least:UInt32}
ORDER BY fingerprints DESC, transactions DESC, user_agent
