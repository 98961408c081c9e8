-- Why templates look as they do: every decision that was learned from traffic. Endpoints that became part of others are gone.

CREATE TABLE IF NOT EXISTS template_changes /*ON CLUSTER*/
(
    ts DateTime64(6, 'UTC') COMMENT 'packet time at which it was decided',
    sensor LowCardinality(String) COMMENT 'name of the sensor',
    source LowCardinality(String) COMMENT '16 hex digits naming the capture or the live run',
    host String COMMENT 'Host or :authority, lower case',
    prefix String COMMENT 'template of what stands before the segment: words behind it are values, {slug}, from then on',
    names Array(String) COMMENT 'words there that stay names all the same',
    endpoints UInt32 COMMENT 'endpoints that became part of others by it',
    reason String COMMENT 'what the decision rests on, with its numbers',
    version UInt64 COMMENT 'the highest of the same key counts'
)
ENGINE = /*Replicated*/ReplacingMergeTree(version)
ORDER BY (sensor, source, host, prefix, ts, reason)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Decisions on path templates, one row each';

CREATE OR REPLACE VIEW endpoints /*ON CLUSTER*/ AS
SELECT
    p.host AS host,
    p.method AS method,
    p.endpoint AS endpoint,
    min(p.first_seen) AS first_seen,
    max(p.last_seen) AS last_seen,
    sum(p.transactions) AS transactions,
    sum(p.unanswered) AS unanswered,
    sum(p.status_1xx) AS status_1xx,
    sum(p.status_2xx) AS status_2xx,
    sum(p.status_3xx) AS status_3xx,
    sum(p.status_4xx) AS status_4xx,
    sum(p.status_5xx) AS status_5xx,
    max(p.clients) AS clients,
    max(p.latency_us_p50) AS latency_us_p50,
    max(p.latency_us_p95) AS latency_us_p95,
    max(p.latency_us_p99) AS latency_us_p99,
    max(p.request_bytes_p50) AS request_bytes_p50,
    max(p.request_bytes_p95) AS request_bytes_p95,
    max(p.response_bytes_p50) AS response_bytes_p50,
    max(p.response_bytes_p95) AS response_bytes_p95,
    max(p.response_bytes_p99) AS response_bytes_p99,
    arraySort(groupUniqArrayArray(p.request_types)) AS request_types,
    arraySort(groupUniqArrayArray(p.response_types)) AS response_types,
    arraySort(groupUniqArrayArray(p.auth)) AS auth,
    arraySort(groupUniqArray(toString(p.sensor))) AS sensors
FROM endpoint_profiles AS p FINAL
WHERE p.transactions > 0
GROUP BY p.host, p.method, p.endpoint
COMMENT 'Endpoints over all runs: counts are sums; clients is a lower bound, quantiles are the largest of the runs';
