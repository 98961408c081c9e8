-- Who called an alert's endpoint in the hour before it began.
-- param alert = : beginning of an alert_id
WITH
    (SELECT min((host, method, endpoint, first_seen)) FROM alerts WHERE startsWith(alert_id, {alert:String})) AS found
SELECT actor, count() AS transactions, min(ts) AS first_seen, max(ts) AS last_seen
FROM transactions
WHERE host = found.1 AND method = found.2 AND endpoint = found.3 AND ts >= found.4 - toIntervalHour(1) AND ts < found.4
GROUP BY actor
ORDER BY transactions DESC, actor
