-- What the sensor did not see, by kind: where it is blind.
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT host, arrayJoin(completeness) AS missing, count() AS transactions
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
GROUP BY host, missing
ORDER BY transactions DESC, host, missing
