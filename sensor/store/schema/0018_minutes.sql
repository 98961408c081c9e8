-- What was asked of each endpoint by the minute: questions over weeks read thousands of rows here instead of millions.
--
-- A materialized view adds to it with every insert of transactions, by the same deduplication token: a block that is sent
-- again counts once here, too. Transactions that are there already are counted when this file is applied (sensor.store.migrations).

CREATE TABLE IF NOT EXISTS endpoint_minutes /*ON CLUSTER*/
(
    minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)) COMMENT 'packet time, down to the minute',
    sensor LowCardinality(String) COMMENT 'name of the sensor',
    host LowCardinality(String) COMMENT 'Host or :authority, lower case',
    method LowCardinality(String) COMMENT 'request method',
    endpoint LowCardinality(String) COMMENT 'path template, as it was when the transactions were written',
    transactions SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)) COMMENT 'transactions',
    unanswered SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)) COMMENT 'of these without a response',
    refused SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)) COMMENT 'answers that say no although their status does not',
    status_2xx SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)) COMMENT 'answers by class of status',
    status_3xx SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)) COMMENT 'the same',
    status_4xx SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)) COMMENT 'the same',
    status_5xx SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)) COMMENT 'the same',
    request_bytes SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)) COMMENT 'request bodies as on the wire, bytes',
    response_bytes SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)) COMMENT 'response bodies as on the wire, bytes',
    clients AggregateFunction(uniqCombined64(12), IPv6) CODEC(ZSTD(1)) COMMENT 'state of distinct remote_ip; uniqCombined64Merge(12)(clients)',
    actors AggregateFunction(uniqCombined64(12), String) CODEC(ZSTD(1)) COMMENT 'state of distinct actors; uniqCombined64Merge(12)(actors)',
    targets AggregateFunction(uniqCombined64(12), String, String) CODEC(ZSTD(1)) COMMENT 'state of distinct (path, query): values that were asked for; uniqCombined64Merge(12)(targets)',
    latency_us AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64) CODEC(ZSTD(1)) COMMENT 'state of latencies; quantilesTDigestMerge(0.5, 0.95, 0.99)(latency_us)',
    inserted_at SimpleAggregateFunction(max, DateTime('UTC')) CODEC(Delta(4), ZSTD(1)) COMMENT 'when the latest of the rows reached the store; retention counts from here'
)
ENGINE = /*Replicated*/AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (host, endpoint, method, minute, sensor)
TTL inserted_at + INTERVAL 400 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Endpoints by the minute, as states that add up; read the view endpoint_activity';

CREATE MATERIALIZED VIEW IF NOT EXISTS endpoint_minutes_of_transactions /*ON CLUSTER*/ TO endpoint_minutes/*_local*/ AS
SELECT
    toStartOfMinute(toDateTime(t.ts, 'UTC')) AS minute,
    t.sensor AS sensor,
    t.host AS host,
    t.method AS method,
    t.endpoint AS endpoint,
    count() AS transactions,
    countIf(t.status IS NULL) AS unanswered,
    countIf(t.refused = 'refused') AS refused,
    countIf(t.status >= 200 AND t.status < 300) AS status_2xx,
    countIf(t.status >= 300 AND t.status < 400) AS status_3xx,
    countIf(t.status >= 400 AND t.status < 500) AS status_4xx,
    countIf(t.status >= 500) AS status_5xx,
    sum(t.request_bytes) AS request_bytes,
    sum(t.response_bytes) AS response_bytes,
    uniqCombined64State(12)(t.remote_ip) AS clients,
    uniqCombined64State(12)(t.actor) AS actors,
    uniqCombined64State(12)(t.path, t.query) AS targets,
    quantilesTDigestStateIf(0.5, 0.95, 0.99)(assumeNotNull(t.latency_us), t.latency_us IS NOT NULL) AS latency_us,
    max(t.inserted_at) AS inserted_at
FROM transactions/*_local*/ AS t
GROUP BY minute, sensor, host, method, endpoint
COMMENT 'Adds to endpoint_minutes with every insert of transactions';

CREATE VIEW IF NOT EXISTS endpoint_activity /*ON CLUSTER*/ AS
WITH quantilesTDigestMerge(0.5, 0.95, 0.99)(m.latency_us) AS latencies
SELECT
    m.minute AS minute,
    m.host AS host,
    m.method AS method,
    m.endpoint AS endpoint,
    sum(m.transactions) AS transactions,
    sum(m.unanswered) AS unanswered,
    sum(m.refused) AS refused,
    sum(m.status_2xx) AS status_2xx,
    sum(m.status_3xx) AS status_3xx,
    sum(m.status_4xx) AS status_4xx,
    sum(m.status_5xx) AS status_5xx,
    sum(m.request_bytes) AS request_bytes,
    sum(m.response_bytes) AS response_bytes,
    uniqCombined64Merge(12)(m.clients) AS clients,
    uniqCombined64Merge(12)(m.actors) AS actors,
    uniqCombined64Merge(12)(m.targets) AS targets,
    if(isNaN(latencies[1]), NULL, toUInt64(round(latencies[1]))) AS latency_us_p50,
    if(isNaN(latencies[2]), NULL, toUInt64(round(latencies[2]))) AS latency_us_p95,
    if(isNaN(latencies[3]), NULL, toUInt64(round(latencies[3]))) AS latency_us_p99
FROM endpoint_minutes AS m
GROUP BY m.minute, m.host, m.method, m.endpoint
COMMENT 'What was asked of each endpoint by the minute, over all sensors: counts are exact, distinct ones within about 2 percent';

-- A block of the writer is a part of one file (17 MB before compression): with a file for each column, half of the time of an
-- insert went to opening and filling them. What merges make of such parts has a file for each column again.
ALTER TABLE transactions/*_local*/ /*ON CLUSTER*/ MODIFY SETTING min_bytes_for_wide_part = 67108864;

-- What log-ins tell of attacks (Herley and Schechter 2019): with s of an hour's share of successes and s0 that of the least attacked
-- hour, 1 - s / s0 of the attempts are attack.
CREATE VIEW IF NOT EXISTS attack_share /*ON CLUSTER*/ AS
SELECT
    host,
    endpoint,
    hour,
    attempts,
    success,
    1 - success / max(success) OVER (PARTITION BY host, endpoint) AS attack_share
FROM
(
    SELECT
        m.host AS host,
        m.endpoint AS endpoint,
        toStartOfHour(m.minute) AS hour,
        sum(m.transactions) - sum(m.unanswered) AS attempts,
        1 - (sum(m.status_4xx) + sum(m.status_5xx) + sum(m.refused)) / attempts AS success
    FROM endpoint_minutes AS m
    WHERE m.method = 'POST'
    GROUP BY host, endpoint, hour
    HAVING attempts >= 10
)
COMMENT 'Share of attack among the POST requests of an endpoint by the hour, of hours with 10 at least; of use for log-ins';

-- A key is required where every run that saw such bodies says so: a run in which it never came has no row for it.
CREATE OR REPLACE VIEW schema_fields /*ON CLUSTER*/ AS
SELECT
    f.host AS host,
    f.method AS method,
    f.endpoint AS endpoint,
    f.side AS side,
    f.status AS status,
    f.path AS path,
    f.type AS type,
    min(f.integers) AS integers,
    toUInt8(min(f.required) AND (count() = any(r.runs) OR f.path LIKE '%.%' OR f.path LIKE '%[%')) AS required,
    sum(f.bodies) AS bodies,
    greatest(any(r.total), sum(f.total)) AS total,
    sum(f.partial) AS partial,
    min(f.first_seen) AS first_seen,
    max(f.last_seen) AS last_seen
FROM schema_field_versions AS f FINAL
LEFT JOIN
(
    SELECT host, method, endpoint, side, status, count() AS runs, sum(looked_at) AS total
    FROM
    (
        SELECT host, method, endpoint, side, status, max(s.total) AS looked_at
        FROM schema_field_versions AS s FINAL
        WHERE s.path = ''
        GROUP BY host, method, endpoint, side, status, s.sensor, s.source
    )
    GROUP BY host, method, endpoint, side, status
) AS r ON r.host = f.host AND r.method = f.method AND r.endpoint = f.endpoint AND r.side = f.side AND r.status = f.status
GROUP BY f.host, f.method, f.endpoint, f.side, f.status, f.path, f.type
COMMENT 'Keys of JSON bodies over all runs; a key is required where every run that saw such bodies says so';

ALTER TABLE schema_migrations /*ON CLUSTER*/ COMMENT COLUMN IF EXISTS applied_at 'when it was applied';
