-- User agents that are sent with several orders of headers: one of them lies about what it is.
-- param least = 2: orders at least
SELECT user_agent, uniqExact(fingerprint) AS fingerprints, uniqExact(remote_ip) AS addresses, count() AS transactions
FROM transactions
WHERE fingerprint != '' AND user_agent != ''
GROUP BY user_agent
HAVING fingerprints >= {least:UInt32}
ORDER BY fingerprints DESC, transactions DESC, user_agent
