-- Pairs of sensors that see the same connections: what both saw counts twice wherever counts are sums over sensors.
-- param limit = 20: rows
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT pair.1.1 AS sensor, pair.2.1 AS other, count() AS connections_of_both, sum(pair.1.2) AS seen_by_sensor, sum(pair.2.2) AS seen_by_other
FROM
(
    SELECT arraySort(groupArray((sensor_name, n))) AS seen
    FROM
    (
        SELECT community_id, toString(sensor) AS sensor_name, count() AS n
        FROM transactions
        WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
        GROUP BY community_id, sensor_name
    )
    GROUP BY community_id
    HAVING length(seen) > 1
)
ARRAY JOIN arrayFilter(p -> p.1.1 < p.2.1, arrayFlatten(arrayMap(a -> arrayMap(b -> (a, b), seen), seen))) AS pair
GROUP BY sensor, other
ORDER BY connections_of_both DESC, sensor, other
LIMIT {limit:UInt32}
