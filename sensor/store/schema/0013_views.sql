-- Views for people, and in the words of others: OCSF 1.3 (https://schema.ocsf.io) and ECS 8 (https://www.elastic.co/guide/en/ecs).

CREATE VIEW IF NOT EXISTS open_alerts /*ON CLUSTER*/ AS
SELECT *
FROM alerts
WHERE mark NOT IN ('false-positive', 'benign') AND last_seen >= (SELECT max(ts) FROM transactions) - INTERVAL 1 HOUR
COMMENT 'Incidents that went on within the last hour of what was seen, and that no analyst called harmless';

CREATE VIEW IF NOT EXISTS sensor_health /*ON CLUSTER*/ AS
SELECT
    sensor,
    source,
    capture,
    ts,
    counters['frames'] AS packets,
    counters['transactions'] AS transactions,
    counters['kernel_dropped'] / greatest(1, counters['kernel_frames']) AS dropped_share,
    counters['gap_bytes'] / greatest(1, counters['frame_bytes'] + counters['gap_bytes']) AS gap_share,
    counters['duplicate'] / greatest(1, counters['tcp']) AS duplicate_share,
    counters['one_sided'] / greatest(1, counters['with_data']) AS one_sided_share,
    counters['tls'] / greatest(1, counters['with_data']) AS encrypted_share,
    (counters['unreadable'] + counters['malformed'] + counters['unknown_link'] + counters['too_many_layers'])
        / greatest(1, counters['frames']) AS undecodable_share,
    counters['evicted_capacity'] AS connections_evicted,
    counters['store_dropped'] AS transactions_lost
FROM sensor_stats
COMMENT 'What each run saw, and what it could not see, as shares';

CREATE VIEW IF NOT EXISTS ocsf_http_activity /*ON CLUSTER*/ AS
SELECT
    4 AS category_uid,
    4002 AS class_uid,
    transform(toString(method), ['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'TRACE'], [1, 2, 3, 4, 5, 6, 7, 8], 99) AS activity_id,
    400200 + activity_id AS type_uid,
    toUnixTimestamp64Milli(ts) AS time,
    1 AS severity_id,
    CAST(('1.3.0', ('Tapwatch', 'Tapwatch'), toString(sensor)),
        'Tuple(version String, product Tuple(name String, vendor_name String), log_name String)') AS metadata,
    CAST((replaceOne(IPv6NumToString(remote_ip), '::ffff:', ''), client_port), 'Tuple(ip String, port UInt16)') AS src_endpoint,
    CAST((replaceOne(IPv6NumToString(server_ip), '::ffff:', ''), server_port, toString(host)),
        'Tuple(ip String, port UInt16, hostname String)') AS dst_endpoint,
    CAST((toString(method), (toString(host), path, query), toString(user_agent), referer, toString(http_version), request_bytes),
        'Tuple(http_method String, url Tuple(hostname String, path String, query_string String), user_agent String, referrer String, version String, length UInt64)')
        AS http_request,
    CAST((status, latency_us / 1000, response_bytes), 'Tuple(code Nullable(UInt16), latency Nullable(Float64), length UInt64)') AS http_response,
    CAST(tuple(community_id), 'Tuple(community_uid String)') AS connection_info
FROM transactions
COMMENT 'Transactions as OCSF HTTP Activity (4002)';

CREATE VIEW IF NOT EXISTS ocsf_detection_finding /*ON CLUSTER*/ AS
SELECT
    2 AS category_uid,
    2004 AS class_uid,
    multiIf(mark != '', 3, 1) AS activity_id,
    200400 + activity_id AS type_uid,
    toUnixTimestamp64Milli(last_seen) AS time,
    toUnixTimestamp64Milli(first_seen) AS start_time,
    toUnixTimestamp64Milli(last_seen) AS end_time,
    transform(toString(severity), ['low', 'medium', 'high', 'critical'], [2, 3, 4, 5], 0) AS severity_id,
    transform(mark, ['', 'true-positive', 'false-positive', 'benign'], [1, 2, 3, 3], 99) AS status_id,
    round(100 * confidence) AS confidence_score,
    transactions AS count,
    explanation AS message,
    CAST(('1.3.0', ('Tapwatch', 'Tapwatch'), toString(sensor), alert_id),
        'Tuple(version String, product Tuple(name String, vendor_name String), log_name String, uid String)') AS metadata,
    CAST((alert_id, concat(toString(detector), ' at ', host, endpoint), explanation, [toString(owasp)],
        toUnixTimestamp64Milli(first_seen), toUnixTimestamp64Milli(last_seen)),
        'Tuple(uid String, title String, desc String, types Array(String), first_seen_time Int64, last_seen_time Int64)') AS finding_info,
    arrayMap(a -> CAST(('src_endpoint.ip', 2, a), 'Tuple(name String, type_id UInt8, value String)'), sources) AS observables
FROM alerts
COMMENT 'Alerts as OCSF Detection Finding (2004)';

CREATE VIEW IF NOT EXISTS ecs_http /*ON CLUSTER*/ AS
SELECT
    ts AS `@timestamp`,
    '8.17.0' AS `ecs.version`,
    'event' AS `event.kind`,
    ['web', 'network'] AS `event.category`,
    ['access', 'protocol'] AS `event.type`,
    multiIf(status IS NULL, 'unknown', status < 400, 'success', 'failure') AS `event.outcome`,
    latency_us * 1000 AS `event.duration`,
    toString(sensor) AS `observer.name`,
    'Tapwatch' AS `observer.product`,
    replaceOne(IPv6NumToString(remote_ip), '::ffff:', '') AS `client.ip`,
    client_port AS `client.port`,
    replaceOne(IPv6NumToString(server_ip), '::ffff:', '') AS `server.ip`,
    server_port AS `server.port`,
    community_id AS `network.community_id`,
    'http' AS `network.protocol`,
    toString(http_version) AS `http.version`,
    toString(method) AS `http.request.method`,
    referer AS `http.request.referrer`,
    request_bytes AS `http.request.body.bytes`,
    status AS `http.response.status_code`,
    response_bytes AS `http.response.body.bytes`,
    toString(response_type) AS `http.response.mime_type`,
    toString(host) AS `url.domain`,
    path AS `url.path`,
    query AS `url.query`,
    toString(user_agent) AS `user_agent.original`
FROM transactions
COMMENT 'Transactions in the fields of ECS';

CREATE VIEW IF NOT EXISTS ecs_alerts /*ON CLUSTER*/ AS
SELECT
    last_seen AS `@timestamp`,
    '8.17.0' AS `ecs.version`,
    'alert' AS `event.kind`,
    ['intrusion_detection', 'web'] AS `event.category`,
    ['info'] AS `event.type`,
    alert_id AS `event.id`,
    20 * transform(toString(severity), ['low', 'medium', 'high', 'critical'], [2, 3, 4, 5], 0) AS `event.severity`,
    first_seen AS `event.start`,
    last_seen AS `event.end`,
    round(100 * confidence) AS `event.risk_score`,
    explanation AS `event.reason`,
    explanation AS message,
    toString(sensor) AS `observer.name`,
    'Tapwatch' AS `observer.product`,
    toString(detector) AS `rule.name`,
    toString(owasp) AS `rule.category`,
    sources AS `related.ip`,
    method AS `http.request.method`,
    host AS `url.domain`,
    endpoint AS `url.path`
FROM alerts
COMMENT 'Alerts in the fields of ECS';
