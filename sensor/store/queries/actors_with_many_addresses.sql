-- Tokens and sessions that are used from many addresses: shared, stolen, or a proxy in between.
-- param least = 3: addresses at least
SELECT actor, addresses, transactions, endpoints, first_seen, last_seen
FROM actors
WHERE addresses >= {least:UInt32}
ORDER BY addresses DESC, actor
