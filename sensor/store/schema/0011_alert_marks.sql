-- What analysts say of alerts. It moves thresholds, and a feed does not name whoever was called innocent.

CREATE TABLE IF NOT EXISTS alert_marks /*ON CLUSTER*/
(
    alert_id String COMMENT 'as in alerts',
    mark LowCardinality(String) COMMENT 'false-positive, true-positive or benign; empty: taken back',
    note String COMMENT 'why, in the analyst''s words',
    marked_at DateTime64(6, 'UTC') COMMENT 'the newest of an alert counts'
)
ENGINE = /*Replicated*/ReplacingMergeTree(marked_at)
ORDER BY alert_id
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Marks of alerts';

CREATE OR REPLACE VIEW alerts /*ON CLUSTER*/ AS
SELECT
    a.* EXCEPT (version),
    m.mark AS mark,
    m.note AS note
FROM (SELECT * FROM alert_versions FINAL) AS a
LEFT JOIN (SELECT alert_id, toString(mark) AS mark, note FROM alert_marks FINAL) AS m ON m.alert_id = a.alert_id
COMMENT 'Alerts as they stand, with what analysts said of them: one row per alert_id';
