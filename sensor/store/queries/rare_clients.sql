-- Ways to write a request (order of its headers) that few requests have: tools among browsers.
-- param limit = 20: rows
SELECT fingerprint, count() AS transactions, uniqExact(remote_ip) AS addresses, any(user_agent) AS user_agent, topK(3)(endpoint) AS endpoints
FROM transactions
WHERE fingerprint != ''
GROUP BY fingerprint
ORDER BY transactions, fingerprint
LIMIT {limit:UInt32}
