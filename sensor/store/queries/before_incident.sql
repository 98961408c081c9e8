-- Who called an alert's endpoint in the hour before it began.
-- param alert = : beginning of an alert_id
SELECT t.actor AS actor, count() AS transactions, min(t.ts) AS first_seen, max(t.ts) AS last_seen
FROM transactions AS t
INNER JOIN (SELECT host, method, endpoint, first_seen FROM alerts WHERE startsWith(alert_id, {alert:String}) LIMIT 1) AS a
    ON t.host = a.host AND t.method = a.method AND t.endpoint = a.endpoint
WHERE t.ts >= a.first_seen - toIntervalHour(1) AND t.ts < a.first_seen
GROUP BY actor
ORDER BY transactions DESC, actor
