-- Sensors that see the same connections: what they both saw counts twice wherever counts are sums over sensors.
-- param limit = 20: rows
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT sensors[1] AS sensor, sensors[2] AS other, count() AS connections_of_both, sum(n) AS transactions
FROM
(
    SELECT community_id, arraySort(groupUniqArray(toString(sensor))) AS sensors, count() AS n
    FROM transactions
    WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
    GROUP BY community_id
    HAVING length(sensors) > 1
)
GROUP BY sensor, other
ORDER BY connections_of_both DESC, sensor, other
LIMIT {limit:UInt32}
