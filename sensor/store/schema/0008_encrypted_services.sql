-- What cannot be read: TLS services by the name that clients ask for, and the fingerprints of these clients.

CREATE TABLE IF NOT EXISTS encrypted_service_versions /*ON CLUSTER*/
(
    sensor LowCardinality(String) COMMENT 'name of the sensor',
    source LowCardinality(String) COMMENT '16 hex digits naming the capture or the live run',
    server_ip IPv6 COMMENT 'address of the server; IPv4 as ::ffff:a.b.c.d',
    server_port UInt16 COMMENT 'TCP port of the server',
    server_name String COMMENT 'SNI (RFC 6066), lower case; empty where there was none, or too many of one server',
    ja4 LowCardinality(String) COMMENT 'JA4 fingerprint of the client; empty where its hello was not read whole, or too many asked for the name',
    tls_version LowCardinality(String) COMMENT 'the highest version that the client offers',
    connections UInt64 COMMENT 'connections of this run',
    first_seen DateTime64(6, 'UTC') COMMENT 'packet time of the first ClientHello',
    last_seen DateTime64(6, 'UTC') COMMENT 'packet time of the last ClientHello',
    version UInt64 COMMENT 'the highest of the same key counts'
)
ENGINE = /*Replicated*/ReplacingMergeTree(version)
ORDER BY (sensor, source, server_name, server_ip, server_port, ja4)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'TLS services by run; read the view encrypted_services';

CREATE VIEW IF NOT EXISTS encrypted_services /*ON CLUSTER*/ AS
SELECT
    s.server_name AS server_name,
    replaceOne(IPv6NumToString(s.server_ip), '::ffff:', '') AS server_ip,
    s.server_port AS server_port,
    sum(s.connections) AS connections,
    min(s.first_seen) AS first_seen,
    max(s.last_seen) AS last_seen,
    arraySort(groupUniqArrayIf(toString(s.ja4), s.ja4 != '')) AS ja4,
    arraySort(groupUniqArray(toString(s.tls_version))) AS tls_versions,
    arraySort(groupUniqArray(toString(s.sensor))) AS sensors
FROM encrypted_service_versions AS s FINAL
GROUP BY s.server_name, s.server_ip, s.server_port
COMMENT 'TLS services over all runs: who is asked for what, and by which kinds of clients';
