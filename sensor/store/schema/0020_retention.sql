-- How long rows stay, transactions that stand for others, the health of the way to the store, and what several taps saw once.

ALTER TABLE transactions /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS stands_for UInt32 DEFAULT 1 CODEC(T64, ZSTD(1))
    COMMENT 'transactions that it stands for: 1, or more where older ones were thinned (tapwatch store thin); sum it to count' AFTER sensitive;

CREATE OR REPLACE VIEW sensor_health /*ON CLUSTER*/ AS
SELECT
    sensor,
    source,
    capture,
    ts,
    counters['frames'] AS packets,
    counters['transactions'] AS transactions,
    counters['kernel_dropped'] / greatest(1, counters['kernel_frames']) AS dropped_share,
    counters['gap_bytes'] / greatest(1, counters['frame_bytes'] + counters['gap_bytes']) AS gap_share,
    counters['duplicate'] / greatest(1, counters['tcp']) AS duplicate_share,
    counters['one_sided'] / greatest(1, counters['with_data']) AS one_sided_share,
    counters['tls'] / greatest(1, counters['with_data']) AS encrypted_share,
    (counters['unreadable'] + counters['malformed'] + counters['unknown_link'] + counters['too_many_layers'])
        / greatest(1, counters['frames']) AS undecodable_share,
    counters['evicted_capacity'] AS connections_evicted,
    counters['store_dropped'] AS transactions_lost,
    counters['store_dropped_other'] AS other_rows_lost,
    counters['store_lag_ms'] / 1000 AS store_lag_s,
    counters['store_waiting'] AS transactions_waiting,
    counters['store_spool_bytes'] AS spool_bytes
FROM sensor_stats
COMMENT 'What each run saw, and what it could not see, as shares; how its rows fare on their way to the store';

CREATE VIEW IF NOT EXISTS transactions_once /*ON CLUSTER*/ AS
SELECT * EXCEPT (nth)
FROM
(
    SELECT *, row_number() OVER (PARTITION BY sensor, community_id, stream_id, method, path, query ORDER BY ts) AS nth
    FROM transactions
)
ORDER BY ts, sensor
LIMIT 1 BY community_id, stream_id, method, path, query, nth
COMMENT 'Transactions, each once although taps on one path saw it several times: the nth request of a kind on a connection is the same';
