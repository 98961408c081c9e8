-- Encapsulations that traffic came in.
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT encap, count() AS transactions, uniq(remote_ip) AS clients, uniq(server_ip) AS servers
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
GROUP BY encap
ORDER BY transactions DESC, encap
