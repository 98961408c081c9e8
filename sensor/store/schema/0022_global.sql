-- Between tables that are spread over several shards, the right side of a join is asked for once and sent to all of them.

CREATE OR REPLACE VIEW schema_fields /*ON CLUSTER*/ AS
SELECT
    f.host AS host,
    f.method AS method,
    f.endpoint AS endpoint,
    f.side AS side,
    f.status AS status,
    f.path AS path,
    f.type AS type,
    min(f.integers) AS integers,
    toUInt8(min(f.required) AND (count() = any(r.runs) OR f.path LIKE '%.%' OR f.path LIKE '%[%')) AS required,
    sum(f.bodies) AS bodies,
    greatest(any(r.total), sum(f.total)) AS total,
    sum(f.partial) AS partial,
    min(f.first_seen) AS first_seen,
    max(f.last_seen) AS last_seen
FROM schema_field_versions AS f FINAL
GLOBAL LEFT JOIN
(
    SELECT host, method, endpoint, side, status, count() AS runs, sum(looked_at) AS total
    FROM
    (
        SELECT host, method, endpoint, side, status, max(s.total) AS looked_at
        FROM schema_field_versions AS s FINAL
        WHERE s.path = ''
        GROUP BY host, method, endpoint, side, status, s.sensor, s.source
    )
    GROUP BY host, method, endpoint, side, status
) AS r ON r.host = f.host AND r.method = f.method AND r.endpoint = f.endpoint AND r.side = f.side AND r.status = f.status
GROUP BY f.host, f.method, f.endpoint, f.side, f.status, f.path, f.type
COMMENT 'Keys of JSON bodies over all runs; a key is required where every run that saw such bodies says so';
