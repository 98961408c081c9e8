-- What is called: one row per endpoint. Each run writes whole profiles; the highest version of a profile counts.

CREATE TABLE IF NOT EXISTS endpoint_profiles /*ON CLUSTER*/
(
    sensor LowCardinality(String) COMMENT 'name of the sensor',
    source LowCardinality(String) COMMENT '16 hex digits naming the capture or the live run',
    host String COMMENT 'Host or :authority, lower case',
    method LowCardinality(String) COMMENT 'request method',
    endpoint String COMMENT 'path template',
    first_seen DateTime64(6, 'UTC') COMMENT 'packet time of the first transaction',
    last_seen DateTime64(6, 'UTC') COMMENT 'packet time of the last transaction',
    transactions UInt64 COMMENT 'transactions of this run',
    unanswered UInt64 COMMENT 'transactions without a response',
    status_1xx UInt64 COMMENT 'responses 100 to 199',
    status_2xx UInt64 COMMENT 'responses 200 to 299',
    status_3xx UInt64 COMMENT 'responses 300 to 399',
    status_4xx UInt64 COMMENT 'responses 400 to 499',
    status_5xx UInt64 COMMENT 'responses 500 to 599',
    clients UInt64 COMMENT 'distinct client addresses of this run',
    latency_us_p50 Nullable(UInt64) COMMENT 'microseconds; NULL without a response',
    latency_us_p95 Nullable(UInt64) COMMENT 'microseconds; NULL without a response',
    latency_us_p99 Nullable(UInt64) COMMENT 'microseconds; NULL without a response',
    request_bytes_p50 UInt64 COMMENT 'bytes',
    request_bytes_p95 UInt64 COMMENT 'bytes',
    response_bytes_p50 UInt64 COMMENT 'bytes',
    response_bytes_p95 UInt64 COMMENT 'bytes',
    response_bytes_p99 UInt64 COMMENT 'bytes',
    request_types Array(String) COMMENT 'media types of request bodies',
    response_types Array(String) COMMENT 'media types of response bodies',
    auth Array(String) COMMENT 'how requests identified themselves',
    version UInt64 COMMENT 'the highest of the same key counts'
)
ENGINE = /*Replicated*/ReplacingMergeTree(version)
ORDER BY (sensor, source, host, method, endpoint)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Endpoint profiles by run; read the view endpoints';

CREATE VIEW IF NOT EXISTS endpoints /*ON CLUSTER*/ AS
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
GROUP BY p.host, p.method, p.endpoint
COMMENT 'Endpoints over all runs: counts are sums; clients is a lower bound, quantiles are the largest of the runs';
