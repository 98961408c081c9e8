-- Addresses behind which many tokens or sessions act: a NAT, or somebody with a list.
-- param least = 10: actors at least
SELECT replaceOne(IPv6NumToString(remote_ip), '::ffff:', '') AS client, uniqExact(actor) AS actors, count() AS transactions, uniqExact(fingerprint) AS fingerprints
FROM transactions
GROUP BY remote_ip
HAVING actors >= {least:UInt32}
ORDER BY actors DESC, client
