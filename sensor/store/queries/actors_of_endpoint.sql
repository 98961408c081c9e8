-- Who called an endpoint, most active first.
-- param host = : host
-- param endpoint = : template, as /v1/products/{int}
-- param limit = 50: rows
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT actor, count() AS transactions, countIf(status >= 400) AS refused, uniq(path) AS paths, min(ts) AS first_seen, max(ts) AS last_seen
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
    AND ({host:String} = '' OR host = {host:String}) AND endpoint = {endpoint:String}
GROUP BY actor
ORDER BY transactions DESC, actor
LIMIT {limit:UInt32}
