-- Endpoints by their share of client errors (4xx), worst first: guessing, or a broken client.
-- param least = 10: transactions at least
-- param limit = 20: rows
SELECT host, method, endpoint, transactions, status_4xx, round(status_4xx / transactions, 4) AS share
FROM endpoints
WHERE transactions >= {least:UInt32} AND status_4xx > 0
ORDER BY share DESC, host, endpoint, method
LIMIT {limit:UInt32}
