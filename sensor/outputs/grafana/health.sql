-- Tapwatch: sensors

-- panel table 24x9: What each sensor could not see
SELECT sensor, capture, ts, packets, transactions, dropped_share, gap_share, duplicate_share, one_sided_share,
    encrypted_share, undecodable_share, connections_evicted, transactions_lost
FROM sensor_health
ORDER BY ts DESC, sensor;

-- panel timeseries 12x8: Transactions by sensor
SELECT $__timeInterval(ts) AS time, sensor, count() AS transactions
FROM transactions
WHERE $__timeFilter(ts)
GROUP BY time, sensor
ORDER BY time, sensor;

-- panel timeseries 12x8: Incomplete transactions
SELECT $__timeInterval(ts) AS time, arrayJoin(completeness) AS what, count() AS transactions
FROM transactions
WHERE $__timeFilter(ts)
GROUP BY time, what
ORDER BY time, what;

-- panel table 12x9: Counters
SELECT sensor, capture, pair.1 AS counter, pair.2 AS value
FROM sensor_stats
ARRAY JOIN CAST(counters, 'Array(Tuple(String, UInt64))') AS pair
WHERE pair.2 > 0
ORDER BY sensor, capture, counter;

-- panel table 12x9: What the store takes
SELECT table, sum(rows) AS number, formatReadableSize(sum(bytes_on_disk)) AS size
FROM system.parts
WHERE active AND database = currentDatabase()
GROUP BY table
ORDER BY sum(bytes_on_disk) DESC;
