-- Endpoints by their share of server errors, worst first.
-- param least = 10: transactions at least
-- param limit = 20: rows
SELECT host, method, endpoint, transactions, status_5xx, round(status_5xx / transactions, 4) AS share
FROM endpoints
WHERE transactions >= {least:UInt32} AND status_5xx > 0
ORDER BY share DESC, host, endpoint, method
LIMIT {limit:UInt32}
