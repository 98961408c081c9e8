-- Endpoints by the 95th percentile of their response bodies: bulk exports, unbounded lists.
-- param limit = 20: rows
SELECT host, method, endpoint, transactions, response_bytes_p50, response_bytes_p95, response_bytes_p99
FROM endpoints
ORDER BY response_bytes_p95 DESC, host, endpoint, method
LIMIT {limit:UInt32}
