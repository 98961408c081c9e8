-- Addresses behind which many tokens or sessions act: a NAT, or somebody with a list.
-- param least = 10: actors at least
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT replaceOne(IPv6NumToString(remote_ip), '::ffff:', '') AS client, uniqExact(actor) AS actors, count() AS transactions, uniqExact(fingerprint) AS fingerprints
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
GROUP BY remote_ip
HAVING actors >= {least:UInt32}
ORDER BY actors DESC, client
