-- Tapwatch: endpoint

-- variable host several
SELECT DISTINCT host
FROM endpoints
WHERE host != ''
ORDER BY host;

-- variable endpoint
SELECT DISTINCT endpoint
FROM endpoints
WHERE host IN (${host:singlequote})
ORDER BY endpoint;

-- panel timeseries 12x8: Requests by status
SELECT $__timeInterval(ts) AS time, toString(ifNull(status, 0)) AS code, count() AS answers
FROM transactions
WHERE $__timeFilter(ts) AND host IN (${host:singlequote}) AND endpoint = ${endpoint:singlequote}
GROUP BY time, code
ORDER BY time, code;

-- panel timeseries 12x8 µs: Latency
SELECT $__timeInterval(ts) AS time, quantileTDigest(0.5)(latency_us) AS p50, quantileTDigest(0.95)(latency_us) AS p95,
    quantileTDigest(0.99)(latency_us) AS p99
FROM transactions
WHERE $__timeFilter(ts) AND host IN (${host:singlequote}) AND endpoint = ${endpoint:singlequote} AND latency_us IS NOT NULL
GROUP BY time
ORDER BY time;

-- panel timeseries 12x8: Clients and actors
SELECT $__timeInterval(ts) AS time, uniq(remote_ip) AS addresses, uniq(actor) AS actors
FROM transactions
WHERE $__timeFilter(ts) AND host IN (${host:singlequote}) AND endpoint = ${endpoint:singlequote}
GROUP BY time
ORDER BY time;

-- panel table 12x8: Busiest actors
SELECT actor, count() AS requests, countIf(status >= 400) AS errors, max(ts) AS last
FROM transactions
WHERE $__timeFilter(ts) AND host IN (${host:singlequote}) AND endpoint = ${endpoint:singlequote}
GROUP BY actor
ORDER BY requests DESC, actor
LIMIT 50;

-- panel table 24x9: Parameters
SELECT method, location, name, position, seen, requests, types, distinct_values, minimum, maximum, values, sensitive
FROM endpoint_parameters
WHERE host IN (${host:singlequote}) AND endpoint = ${endpoint:singlequote}
ORDER BY method, location, position, name;

-- panel table 12x9: Keys of bodies
SELECT method, side, status, path, type, required, bodies, total
FROM schema_fields
WHERE host IN (${host:singlequote}) AND endpoint = ${endpoint:singlequote}
ORDER BY method, side, status, path, type;

-- panel table 12x9: Keys that came or went
SELECT ts, method, side, status, path, type, change, bodies_without, bodies_with
FROM schema_drift
WHERE host IN (${host:singlequote}) AND endpoint = ${endpoint:singlequote}
ORDER BY ts DESC, path;

-- panel table 24x7: Findings
SELECT severity, finding, owasp, evidence
FROM findings
WHERE host IN (${host:singlequote}) AND endpoint = ${endpoint:singlequote}
ORDER BY finding;
