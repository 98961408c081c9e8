-- Tapwatch: overview

-- variable host several
SELECT DISTINCT host
FROM endpoints
WHERE host != ''
ORDER BY host;

-- panel timeseries 12x8: Requests
SELECT $__timeInterval(minute) AS time, host, sum(m.transactions) AS requests
FROM endpoint_minutes AS m
WHERE $__timeFilter(minute) AND host IN (${host:singlequote})
GROUP BY time, host
ORDER BY time, host;

-- panel timeseries 12x8: Answers by class
SELECT $__timeInterval(minute) AS time, sum(m.status_2xx) AS `2xx`, sum(m.status_3xx) AS `3xx`, sum(m.status_4xx) AS `4xx`,
    sum(m.status_5xx) AS `5xx`, sum(m.unanswered) AS none
FROM endpoint_minutes AS m
WHERE $__timeFilter(minute) AND host IN (${host:singlequote})
GROUP BY time
ORDER BY time;

-- panel table 24x9: Open incidents
SELECT severity, detector, alert_id, host, method, endpoint, actor, actors, transactions, last_seen, explanation
FROM open_alerts
WHERE host IN (${host:singlequote})
ORDER BY transform(toString(severity), ['low', 'medium', 'high', 'critical'], [1, 2, 3, 4], 0) DESC, last_seen DESC
LIMIT 100;

-- panel table 24x10: Endpoints by risk
SELECT risk, host, method, endpoint, transactions, clients, auth, sensitive_in_responses, findings
FROM endpoint_inventory
WHERE host IN (${host:singlequote})
ORDER BY risk DESC, transactions DESC
LIMIT 100;

-- panel table 12x8: New endpoints
SELECT first_seen, host, method, endpoint, transactions, clients
FROM endpoints
WHERE host IN (${host:singlequote})
ORDER BY first_seen DESC
LIMIT 50;

-- panel table 12x8: Who acts, by intent
SELECT intent, count() AS actors, sum(transactions) AS requests
FROM actors
GROUP BY intent
ORDER BY requests DESC;
