-- Requests, errors and latency of a host by the hour.
-- param host = : host; empty for all
SELECT toStartOfHour(ts) AS hour, count() AS transactions, countIf(status >= 500) AS errors, uniq(remote_ip) AS clients, round(quantile(0.95)(latency_us)) AS latency_us_p95
FROM transactions
WHERE {host:String} = '' OR host = {host:String}
GROUP BY hour
ORDER BY hour
