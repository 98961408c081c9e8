-- Keys and types of bodies that came or went, the newest change first.
-- param days = 30: days, back from what the store knows last
SELECT ts, host, method, endpoint, side, status, path, type, change, bodies_without, bodies_with, sensor
FROM schema_drift
WHERE ts >= (SELECT max(last_seen) FROM endpoints) - toIntervalDay({days:UInt32})
ORDER BY ts DESC, host, endpoint, method, side, status, path, type
LIMIT 1000
