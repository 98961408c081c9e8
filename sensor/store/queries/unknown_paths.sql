-- Who asked for most paths that do not exist (404): scanners.
-- param limit = 20: rows
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT actor, countIf(status = 404) AS not_found, uniqExactIf(path, status = 404) AS paths, count() AS transactions
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
GROUP BY actor
HAVING not_found > 0
ORDER BY paths DESC, actor
LIMIT {limit:UInt32}
