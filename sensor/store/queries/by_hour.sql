-- Requests, errors and latency of a host by the hour.
-- param host = : host; empty for all
-- param days = 14: days, back from the newest minute; 0 for all
SELECT
    toStartOfHour(m.minute) AS hour, sum(m.transactions) AS transactions, sum(m.status_5xx) AS errors,
    uniqCombined64Merge(12)(m.clients) AS clients,
    round(quantilesTDigestMerge(0.5, 0.95, 0.99)(m.latency_us)[2]) AS latency_us_p95
FROM endpoint_minutes AS m
WHERE m.minute >= if({days:UInt32} = 0, toDateTime(0, 'UTC'), (SELECT max(minute) FROM endpoint_minutes) - toIntervalDay({days:UInt32}))
    AND ({host:String} = '' OR m.host = {host:String})
GROUP BY hour
ORDER BY hour
