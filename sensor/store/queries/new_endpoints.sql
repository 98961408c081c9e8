-- Endpoints that were first seen within the last days of what the store knows.
-- param days = 7: days
SELECT host, method, endpoint, first_seen, transactions, clients
FROM endpoints
WHERE first_seen >= (SELECT max(last_seen) FROM endpoints) - toIntervalDay({days:UInt32})
ORDER BY first_seen DESC, host, endpoint, method
