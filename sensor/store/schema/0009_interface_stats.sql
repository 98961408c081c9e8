-- What each interface of a live run delivered, beside the counters of the run as a whole.

ALTER TABLE sensor_stats_versions /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS interfaces Map(String, Map(String, UInt64))
    COMMENT 'interface to what was counted of its packets up to their transport layer' AFTER counters;

CREATE OR REPLACE VIEW sensor_stats /*ON CLUSTER*/ AS
SELECT * EXCEPT (version)
FROM sensor_stats_versions FINAL
COMMENT 'Counters of the sensor, one row per run';
