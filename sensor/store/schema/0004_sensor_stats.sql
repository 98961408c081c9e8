-- What the sensor counted of itself: packets, losses by reason, evictions.

CREATE TABLE IF NOT EXISTS sensor_stats_versions /*ON CLUSTER*/
(
    ts DateTime64(6, 'UTC') COMMENT 'packet time up to which was counted',
    sensor LowCardinality(String) COMMENT 'name of the sensor',
    source LowCardinality(String) COMMENT '16 hex digits naming the capture or the live run',
    capture String COMMENT 'file name of the capture, or the interface',
    counters Map(String, UInt64) COMMENT 'counter name to its value since the start of the run',
    version UInt64 COMMENT 'the highest of the same run counts'
)
ENGINE = /*Replicated*/ReplacingMergeTree(version)
ORDER BY (sensor, source)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Counters of the sensor with all their versions; read the view sensor_stats';

CREATE VIEW IF NOT EXISTS sensor_stats /*ON CLUSTER*/ AS
SELECT * EXCEPT (version)
FROM sensor_stats_versions FINAL
COMMENT 'Counters of the sensor, one row per run';
