-- Tapwatch: incident

-- variable alert
SELECT alert_id
FROM alerts
ORDER BY last_seen DESC
LIMIT 1000;

-- panel table 24x6: What happened
SELECT severity, confidence, detector, owasp, explanation
FROM alerts
WHERE alert_id = ${alert:singlequote};

-- panel timeseries 12x8: Requests of its sources, and of others
SELECT $__timeInterval(ts) AS time, countIf(has(a.sources, replaceOne(IPv6NumToString(t.remote_ip), '::ffff:', '')))
    AS its, count() - its AS others
FROM transactions AS t
GLOBAL INNER JOIN (SELECT host AS h, method AS m, endpoint AS e, sources FROM alerts WHERE alert_id = ${alert:singlequote}) AS a
ON t.host = a.h AND t.method = a.m AND t.endpoint = a.e
WHERE $__timeFilter(ts)
GROUP BY time
ORDER BY time;

-- panel timeseries 12x8: Their answers
SELECT $__timeInterval(ts) AS time, toString(ifNull(t.status, 0)) AS code, count() AS answers
FROM transactions AS t
GLOBAL INNER JOIN (SELECT host AS h, method AS m, endpoint AS e, sources FROM alerts WHERE alert_id = ${alert:singlequote}) AS a
ON t.host = a.h AND t.method = a.m AND t.endpoint = a.e
WHERE $__timeFilter(ts)
AND has(a.sources, replaceOne(IPv6NumToString(t.remote_ip), '::ffff:', ''))
GROUP BY time, code
ORDER BY time, code;

-- panel table 24x9: Sources
SELECT replaceOne(IPv6NumToString(t.remote_ip), '::ffff:', '') AS address, count() AS requests, min(t.ts) AS first,
    max(t.ts) AS last, any(t.user_agent) AS agent
FROM transactions AS t
GLOBAL INNER JOIN (SELECT host AS h, method AS m, endpoint AS e, sources FROM alerts WHERE alert_id = ${alert:singlequote}) AS a
ON t.host = a.h AND t.method = a.m AND t.endpoint = a.e
WHERE has(a.sources, address)
GROUP BY address
ORDER BY requests DESC, address
LIMIT 200;

-- panel table 24x5: Countries and networks
SELECT countries, networks, actors, transactions
FROM alerts
WHERE alert_id = ${alert:singlequote};
