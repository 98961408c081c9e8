-- Of a store that is made anew: what has no limit of its own keeps rows for two years. tapwatch store keep, or [retention], says
-- otherwise. A store that there is keeps what was set for it, or all.

ALTER TABLE alert_versions/*_local*/ /*ON CLUSTER*/ MODIFY TTL toDateTime(intDiv(version, 1000000000)) + INTERVAL 730 DAY DELETE;
ALTER TABLE endpoint_profiles/*_local*/ /*ON CLUSTER*/ MODIFY TTL toDateTime(intDiv(version, 1000000000)) + INTERVAL 730 DAY DELETE;
ALTER TABLE endpoint_parameter_versions/*_local*/ /*ON CLUSTER*/ MODIFY TTL toDateTime(intDiv(version, 1000000000)) + INTERVAL 730 DAY DELETE;
ALTER TABLE schema_field_versions/*_local*/ /*ON CLUSTER*/ MODIFY TTL toDateTime(intDiv(version, 1000000000)) + INTERVAL 730 DAY DELETE;
ALTER TABLE encrypted_service_versions/*_local*/ /*ON CLUSTER*/ MODIFY TTL toDateTime(intDiv(version, 1000000000)) + INTERVAL 730 DAY DELETE;
ALTER TABLE sensor_stats_versions/*_local*/ /*ON CLUSTER*/ MODIFY TTL toDateTime(intDiv(version, 1000000000)) + INTERVAL 730 DAY DELETE;
