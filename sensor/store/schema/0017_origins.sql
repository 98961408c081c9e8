-- Where the addresses of alerts are, by databases that the operator gives.

ALTER TABLE alert_versions /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS countries Map(LowCardinality(String), UInt32)
    COMMENT 'addresses by ISO 3166 code of their country, the 20 with most; empty without a database' AFTER sources,
    ADD COLUMN IF NOT EXISTS networks Map(String, UInt32)
    COMMENT 'the same by autonomous system, as AS64500 Example' AFTER countries;

CREATE OR REPLACE VIEW alerts /*ON CLUSTER*/ AS
SELECT
    a.* EXCEPT (version),
    m.mark AS mark,
    m.note AS note
FROM (SELECT * FROM alert_versions FINAL) AS a
LEFT JOIN (SELECT alert_id, toString(mark) AS mark, note FROM alert_marks FINAL) AS m ON m.alert_id = a.alert_id
COMMENT 'Alerts as they stand, with what analysts said of them: one row per alert_id';
