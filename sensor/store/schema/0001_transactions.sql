-- Every HTTP transaction that a sensor saw, one row each.
--
-- Retention counts from the insert and not from packet time: replaying last year's capture must not delete it at once.
-- A block that is inserted again under the same deduplication token is dropped (non_replicated_deduplication_window).

CREATE TABLE IF NOT EXISTS transactions /*ON CLUSTER*/
(
    ts DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1))
        COMMENT 'packet time of the first byte of the request; of the response when no request was seen',
    sensor LowCardinality(String) COMMENT 'name of the sensor',
    source LowCardinality(String) COMMENT '16 hex digits naming the capture or the live run',
    capture LowCardinality(String) COMMENT 'file name of the capture, or the interface',
    -- The hash covers addresses and ports in network order, the smaller (address, port) first.
    -- IPv4 addresses count with their 4 bytes, so the 12 bytes ::ffff: before them are cut off.
    community_id String DEFAULT concat('1:', base64Encode(SHA1(if(
        (reinterpretAsFixedString(client_ip), client_port) <= (reinterpretAsFixedString(server_ip), server_port),
        concat(
            char(0, 0),
            substring(reinterpretAsFixedString(client_ip), if(startsWith(reinterpretAsFixedString(client_ip), unhex('00000000000000000000FFFF')), 13, 1)),
            substring(reinterpretAsFixedString(server_ip), if(startsWith(reinterpretAsFixedString(server_ip), unhex('00000000000000000000FFFF')), 13, 1)),
            char(6, 0), char(intDiv(client_port, 256), client_port % 256), char(intDiv(server_port, 256), server_port % 256)
        ),
        concat(
            char(0, 0),
            substring(reinterpretAsFixedString(server_ip), if(startsWith(reinterpretAsFixedString(server_ip), unhex('00000000000000000000FFFF')), 13, 1)),
            substring(reinterpretAsFixedString(client_ip), if(startsWith(reinterpretAsFixedString(client_ip), unhex('00000000000000000000FFFF')), 13, 1)),
            char(6, 0), char(intDiv(server_port, 256), server_port % 256), char(intDiv(client_port, 256), client_port % 256)
        )
    )))) CODEC(ZSTD(1)) COMMENT 'Community ID v1 of the connection, seed 0',
    client_ip IPv6 CODEC(ZSTD(1)) COMMENT 'who asked; IPv4 as ::ffff:a.b.c.d',
    client_port UInt16 CODEC(ZSTD(1)) COMMENT 'TCP port of the client',
    server_ip IPv6 CODEC(ZSTD(1)) COMMENT 'who was asked; IPv4 as ::ffff:a.b.c.d',
    server_port UInt16 CODEC(ZSTD(1)) COMMENT 'TCP port of the server',
    encap LowCardinality(String) COMMENT 'encapsulation, outermost first, as vlan:10/vxlan:7; empty for none',
    http_version LowCardinality(String) COMMENT '0.9, 1.0, 1.1 or 2',
    stream_id UInt32 CODEC(ZSTD(1)) COMMENT 'HTTP/2 stream, else 0',
    serial UInt32 CODEC(ZSTD(1)) COMMENT 'number of the transaction in its connection, from 0',
    method LowCardinality(String) COMMENT 'request method as sent',
    host LowCardinality(String) COMMENT 'Host or :authority, lower case',
    path String CODEC(ZSTD(1)) COMMENT 'raw path without query; sensitive values replaced by their class, as {card}',
    query String CODEC(ZSTD(1)) COMMENT 'raw query without the question mark; sensitive values replaced by their class',
    endpoint LowCardinality(String) COMMENT 'path template with typed placeholders, as /v1/products/{int}',
    status Nullable(UInt16) COMMENT 'HTTP status; NULL without a response',
    request_bytes UInt64 CODEC(T64, ZSTD(1)) COMMENT 'request body as on the wire, bytes',
    response_bytes UInt64 CODEC(T64, ZSTD(1)) COMMENT 'response body as on the wire, bytes',
    latency_us Nullable(UInt64) CODEC(ZSTD(1))
        COMMENT 'last request byte to first response byte, microseconds; NULL without a response',
    user_agent LowCardinality(String) COMMENT 'User-Agent header',
    referer String CODEC(ZSTD(1)) COMMENT 'Referer header; sensitive values replaced by their class',
    request_type LowCardinality(String) COMMENT 'media type of the request body',
    response_type LowCardinality(String) COMMENT 'media type of the response body',
    auth LowCardinality(String) COMMENT 'how the request identified itself: none, basic, bearer, jwt, cookie, api_key, ...',
    credential UInt64 EPHEMERAL 0 COMMENT 'keyed hash of the token; given on insert, kept only as actor',
    session UInt64 EPHEMERAL 0 COMMENT 'keyed hash of the session cookie; given on insert, kept only as actor',
    actor String DEFAULT multiIf(
        credential != 0, concat('token:', leftPad(lower(hex(credential)), 16, '0')),
        session != 0, concat('session:', leftPad(lower(hex(session)), 16, '0')),
        concat('ip:', replaceOne(IPv6NumToString(client_ip), '::ffff:', ''))
    ) CODEC(ZSTD(1)) COMMENT 'who acts: token:, session: or ip: and its name',
    forwarded_for String CODEC(ZSTD(1)) COMMENT 'X-Forwarded-For or Forwarded, as claimed by the client',
    fingerprint String CODEC(ZSTD(1)) COMMENT '16 hex digits: order and casing of the header names; empty without a request',
    completeness Array(LowCardinality(String)) COMMENT 'what the sensor did not see; empty when all was seen',
    weird Array(LowCardinality(String)) COMMENT 'readings that RFC 9112 forbids or leaves ambiguous',
    inserted_at DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)) COMMENT 'when the row reached the store; retention counts from here',
    INDEX client_ip_bloom client_ip TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX actor_bloom actor TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = /*Replicated*/MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (host, endpoint, method, ts)
TTL inserted_at + INTERVAL 14 DAY DELETE
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'HTTP transactions, one row each';

CREATE VIEW IF NOT EXISTS actors /*ON CLUSTER*/ AS
SELECT
    actor,
    min(ts) AS first_seen,
    max(ts) AS last_seen,
    count() AS transactions,
    uniq(host, method, transactions.endpoint) AS endpoints,
    uniq(client_ip) AS addresses
FROM transactions
GROUP BY actor
COMMENT 'Who acts: API token, session or address, with what was seen of it';
