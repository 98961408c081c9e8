-- Explained alerts. An open alert is written again whenever it grows; the highest version counts.

CREATE TABLE IF NOT EXISTS alert_versions /*ON CLUSTER*/
(
    alert_id String COMMENT 'stable across replays of the same capture',
    detector LowCardinality(String) COMMENT 'name of the detector',
    owasp LowCardinality(String) COMMENT 'OWASP API Security Top 10, API1:2023 to API10:2023',
    severity LowCardinality(String) COMMENT 'low, medium, high or critical',
    confidence Float64 COMMENT '0 to 1',
    first_seen DateTime64(6, 'UTC') COMMENT 'packet time of the first transaction',
    last_seen DateTime64(6, 'UTC') COMMENT 'packet time of the last transaction',
    raised_at DateTime64(6, 'UTC') COMMENT 'packet time of the transaction that tipped it',
    host String COMMENT 'Host or :authority',
    method String COMMENT 'request method',
    endpoint String COMMENT 'path template',
    actor String COMMENT 'who acts, or the name of the campaign',
    actors UInt64 COMMENT 'how many actors take part',
    sources Array(String) COMMENT 'their addresses, most active first, at most 10,000',
    transactions UInt64 COMMENT 'transactions of the incident',
    statistic Tuple(name String, value Float64) COMMENT 'what was measured',
    threshold Float64 COMMENT 'what the statistic was held against',
    explanation String COMMENT 'a sentence that a person can check',
    evidence Array(String) COMMENT 'JSON: a bounded sample of transaction keys',
    sensor LowCardinality(String) COMMENT 'name of the sensor',
    source LowCardinality(String) COMMENT '16 hex digits naming the capture or the live run',
    version UInt64 COMMENT 'the highest of the same alert_id counts'
)
ENGINE = /*Replicated*/ReplacingMergeTree(version)
ORDER BY alert_id
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Alerts with all their versions; read the view alerts';

CREATE VIEW IF NOT EXISTS alerts /*ON CLUSTER*/ AS
SELECT * EXCEPT (version)
FROM alert_versions FINAL
COMMENT 'Alerts as they stand: one row per alert_id';
