-- Actors by the number of different paths that they asked an endpoint for.
-- param limit = 20: rows
SELECT host, method, endpoint, actor, uniqExact(path, query) AS targets, count() AS transactions, countIf(status = 404) AS not_found
FROM transactions
WHERE endpoint LIKE '%{%'
GROUP BY host, method, endpoint, actor
ORDER BY targets DESC, host, endpoint, method, actor
LIMIT {limit:UInt32}
