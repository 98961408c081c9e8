-- What was odd about requests and responses: smuggling and broken clients begin with it.
SELECT arrayJoin(weird) AS oddity, count() AS transactions, uniq(remote_ip) AS clients, topK(3)(endpoint) AS endpoints
FROM transactions
GROUP BY oddity
ORDER BY transactions DESC, oddity
