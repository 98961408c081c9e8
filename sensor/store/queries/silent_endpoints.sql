-- Endpoints that nobody called within the last days: candidates for removal.
-- param days = 30: days
SELECT host, method, endpoint, last_seen, transactions
FROM endpoints
WHERE last_seen < (SELECT max(last_seen) FROM endpoints) - toIntervalDay({days:UInt32})
ORDER BY last_seen, host, endpoint, method
