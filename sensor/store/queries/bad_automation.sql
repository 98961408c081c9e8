-- Actors that behave as bad automation does, the likeliest first, and what speaks for it.
-- param least = 0.6: probability at least
SELECT actor, round(bad_automation, 3) AS probability, transactions, endpoints, addresses, arrayStringConcat(reasons, '; ') AS reasons
FROM actors
WHERE intent != 'unknown' AND bad_automation >= {least:Float64}
ORDER BY probability DESC, transactions DESC, actor
