-- What was odd about requests and responses: smuggling and broken clients begin with it.
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT arrayJoin(weird) AS oddity, count() AS transactions, uniq(remote_ip) AS clients, topK(3)(endpoint) AS endpoints
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
GROUP BY oddity
ORDER BY transactions DESC, oddity
