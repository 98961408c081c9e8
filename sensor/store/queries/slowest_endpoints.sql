-- Endpoints by the 95th percentile of their latency, slowest first.
-- param least = 10: transactions at least
-- param limit = 20: rows
SELECT host, method, endpoint, transactions, latency_us_p50, latency_us_p95, latency_us_p99
FROM endpoints
WHERE transactions >= {least:UInt32} AND latency_us_p95 IS NOT NULL
ORDER BY latency_us_p95 DESC, host, endpoint, method
LIMIT {limit:UInt32}
