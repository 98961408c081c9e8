-- What the sensor did not see, by kind: where it is blind.
SELECT host, arrayJoin(completeness) AS missing, count() AS transactions
FROM transactions
GROUP BY host, missing
ORDER BY transactions DESC, host, missing
