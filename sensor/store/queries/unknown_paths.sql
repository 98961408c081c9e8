-- Who asked for most paths that do not exist (404): scanners.
-- param limit = 20: rows
SELECT actor, countIf(status = 404) AS not_found, uniqExactIf(path, status = 404) AS paths, count() AS transactions
FROM transactions
GROUP BY actor
HAVING not_found > 0
ORDER BY paths DESC, actor
LIMIT {limit:UInt32}
