-- Who asks most: token, session or address.
-- param limit = 20: rows
SELECT actor, transactions, endpoints, addresses, first_seen, last_seen
FROM actors
ORDER BY transactions DESC, actor
LIMIT {limit:UInt32}
