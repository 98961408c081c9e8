-- What transactions carry beyond one body each: messages of gRPC and WebSocket, and operations named in a request's body.

ALTER TABLE transactions /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS grpc_status Nullable(UInt8) CODEC(ZSTD(1))
        COMMENT 'grpc-status of the response; NULL where none was seen' AFTER status,
    ADD COLUMN IF NOT EXISTS request_messages UInt32 CODEC(ZSTD(1))
        COMMENT 'gRPC or WebSocket messages to the server, else 0' AFTER response_bytes,
    ADD COLUMN IF NOT EXISTS response_messages UInt32 CODEC(ZSTD(1))
        COMMENT 'gRPC or WebSocket messages to the client, else 0' AFTER request_messages,
    ADD COLUMN IF NOT EXISTS request_message_bytes UInt64 CODEC(T64, ZSTD(1))
        COMMENT 'what the messages to the server carry, without their framing, bytes' AFTER response_messages,
    ADD COLUMN IF NOT EXISTS response_message_bytes UInt64 CODEC(T64, ZSTD(1))
        COMMENT 'what the messages to the client carry, without their framing, bytes' AFTER request_message_bytes,
    ADD COLUMN IF NOT EXISTS operation_type LowCardinality(String)
        COMMENT 'what names an operation in the body: query, mutation or subscription of GraphQL, jsonrpc, soap; else empty' AFTER endpoint,
    ADD COLUMN IF NOT EXISTS operation LowCardinality(String)
        COMMENT 'its name as the client gave it; empty where it gave none' AFTER operation_type,
    ADD COLUMN IF NOT EXISTS root_names String EPHEMERAL ''
        COMMENT 'names of the root fields with commas between them; given on insert, kept as root_fields' AFTER operation,
    ADD COLUMN IF NOT EXISTS root_fields Array(LowCardinality(String)) DEFAULT if(root_names = '', [], splitByChar(',', root_names))
        COMMENT 'GraphQL: fields that the operation asks for at its root' AFTER root_names,
    ADD COLUMN IF NOT EXISTS graphql_depth UInt16 CODEC(ZSTD(1))
        COMMENT 'GraphQL: how deep selections are nested in the document, else 0' AFTER root_fields,
    ADD COLUMN IF NOT EXISTS graphql_aliases UInt16 CODEC(ZSTD(1))
        COMMENT 'GraphQL: renamed fields of one operation or fragment, the most, else 0' AFTER graphql_depth;
