-- Parameters of endpoints: types and ranges, never values.

CREATE TABLE IF NOT EXISTS endpoint_parameter_versions /*ON CLUSTER*/
(
    sensor LowCardinality(String) COMMENT 'name of the sensor',
    source LowCardinality(String) COMMENT '16 hex digits naming the capture or the live run',
    host String COMMENT 'Host or :authority, lower case',
    method LowCardinality(String) COMMENT 'request method',
    endpoint String COMMENT 'path template',
    location LowCardinality(String) COMMENT 'path or query',
    name String COMMENT 'name of a query parameter; empty for a segment of the path',
    position UInt16 COMMENT 'number of a segment of the path, from 0; 0 for a query parameter',
    seen UInt64 COMMENT 'served requests that bore it',
    types Array(LowCardinality(String)) COMMENT 'classes that its values fell into: word, int, uuid, date, slug, ...',
    minimum Nullable(Int64) COMMENT 'the smallest number; NULL where there was none',
    maximum Nullable(Int64) COMMENT 'the largest number; NULL where there was none',
    shortest UInt32 COMMENT 'bytes',
    longest UInt32 COMMENT 'bytes',
    distinct_values UInt64 COMMENT 'estimate of how many different values there were',
    sensitive LowCardinality(String) COMMENT 'class of secret or personal data that it bears; empty for none',
    version UInt64 COMMENT 'the highest of the same key counts'
)
ENGINE = /*Replicated*/ReplacingMergeTree(version)
ORDER BY (sensor, source, host, method, endpoint, location, name, position)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Parameters by run; read the view endpoint_parameters';

CREATE VIEW IF NOT EXISTS endpoint_parameters /*ON CLUSTER*/ AS
SELECT
    p.host AS host,
    p.method AS method,
    p.endpoint AS endpoint,
    p.location AS location,
    p.name AS name,
    p.position AS position,
    sum(p.seen) AS seen,
    arraySort(groupUniqArrayArray(p.types)) AS types,
    min(p.minimum) AS minimum,
    max(p.maximum) AS maximum,
    min(p.shortest) AS shortest,
    max(p.longest) AS longest,
    max(p.distinct_values) AS distinct_values,
    max(p.sensitive) AS sensitive
FROM endpoint_parameter_versions AS p FINAL
WHERE p.seen > 0
GROUP BY p.host, p.method, p.endpoint, p.location, p.name, p.position
COMMENT 'Parameters of endpoints over all runs: types and ranges, never values';
