-- HTTP versions by host.
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT host, http_version, count() AS transactions, uniq(remote_ip) AS clients
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
GROUP BY host, http_version
ORDER BY transactions DESC, host, http_version
