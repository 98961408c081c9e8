-- OCSF counts latency in whole milliseconds, wants a direction of connections, which a tap does not
-- know, names for hosts that can be some, and its own list of methods.

CREATE OR REPLACE VIEW ocsf_http_activity /*ON CLUSTER*/ AS
WITH nullIf(extract(toString(host), '^((?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?::\\d+)?$'), '') AS name
SELECT
    4 AS category_uid,
    4002 AS class_uid,
    transform(toString(method), ['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'TRACE'], [1, 2, 3, 4, 5, 6, 7, 8], 99) AS activity_id,
    400200 + activity_id AS type_uid,
    toUnixTimestamp64Milli(ts) AS time,
    1 AS severity_id,
    CAST(('1.3.0', ('Tapwatch', 'Tapwatch'), toString(sensor)),
        'Tuple(version String, product Tuple(name String, vendor_name String), log_name String)') AS metadata,
    CAST((replaceOne(IPv6NumToString(remote_ip), '::ffff:', ''), client_port), 'Tuple(ip String, port UInt16)') AS src_endpoint,
    CAST((replaceOne(IPv6NumToString(server_ip), '::ffff:', ''), server_port, name),
        'Tuple(ip String, port UInt16, hostname Nullable(String))') AS dst_endpoint,
    CAST((if(activity_id = 99, NULL, toString(method)), (name, path, query), toString(user_agent), referer, toString(http_version), request_bytes),
        'Tuple(http_method Nullable(String), url Tuple(hostname Nullable(String), path String, query_string String), user_agent String, referrer String, version String, length UInt64)')
        AS http_request,
    CAST((status, toUInt64(round(latency_us / 1000)), response_bytes), 'Tuple(code Nullable(UInt16), latency Nullable(UInt64), length UInt64)') AS http_response,
    CAST((community_id, 0, 6), 'Tuple(uid String, direction_id UInt8, protocol_num UInt8)') AS connection_info
FROM transactions
COMMENT 'Transactions as OCSF HTTP Activity (4002)';
