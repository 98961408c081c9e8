-- Every HTTP transaction that a sensor saw, one row each.

CREATE TABLE IF NOT EXISTS transactions /*ON CLUSTER*/
(
    ts             DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)) COMMENT 'packet time of the first byte of the request, of the response when no request was seen',
    sensor         LowCardinality(String) COMMENT 'name of the sensor',
    source         LowCardinality(String) COMMENT '16 hex digits that name the capture or the live run',
    capture        LowCardinality(String) COMMENT 'file name of the capture, or the interface',
    community_id   String DEFAULT concat('1:', base64Encode(SHA1(if(
                       (reinterpretAsFixedString(client_ip), client_port) <= (reinterpretAsFixedString(server_ip), server_port),
                       concat(char(0, 0), address_bytes_c, address_bytes_s, char(6, 0), char(intDiv(client_port, 256), client_port % 256), char(intDiv(server_port, 256), server_port % 256)),
                       concat(char(0, 0), address_bytes_s, address_bytes_c, char(6, 0), char(intDiv(server_port, 256), server_port % 256), char(intDiv(client_port, 256), client_port % 256))
                   )))) CODEC(ZSTD(1)) COMMENT 'Community ID v1 of the connection, seed 0',
    address_bytes_c String ALIAS substring(reinterpretAsFixedString(client_ip), if(startsWith(reinterpretAsFixedString(client_ip), unhex('00000000000000000000FFFF')), 13, 1)),
    address_bytes_s String ALIAS substring(reinterpretAsFixedString(server_ip), if(startsWith(reinterpretAsFixedString(server_ip), unhex('00000000000000000000FFFF')), 13, 1)),
    client_ip      IPv6 CODEC(ZSTD(1)) COMMENT 'who asked; IPv4 as ::ffff:a.b.c.d',
    client_port    UInt16 CODEC(ZSTD(1)),
    server_ip      IPv6 CODEC(ZSTD(1)) COMMENT 'who was asked',
    server_port    UInt16 CODEC(ZSTD(1))
)
ENGINE = MergeTree ORDER BY ts;
