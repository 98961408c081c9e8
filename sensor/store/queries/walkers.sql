-- Actors by the number of different paths that they asked an endpoint for.
-- param limit = 20: rows
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT host, method, endpoint, actor, uniqExact(path, query) AS targets, count() AS transactions, countIf(status = 404) AS not_found
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
    AND endpoint LIKE '%{%'
GROUP BY host, method, endpoint, actor
ORDER BY targets DESC, host, endpoint, method, actor
LIMIT {limit:UInt32}
