-- Who is behind an actor, by how it behaves: told at 5 requests, whenever these have doubled, and when it has gone.

CREATE TABLE IF NOT EXISTS actor_sessions /*ON CLUSTER*/
(
    sensor LowCardinality(String) COMMENT 'name of the sensor',
    source LowCardinality(String) COMMENT '16 hex digits naming the capture or the live run',
    actor String CODEC(ZSTD(1)) COMMENT 'as in transactions',
    address String CODEC(ZSTD(1)) COMMENT 'its latest address',
    first_seen DateTime64(6, 'UTC') COMMENT 'packet time of the first request; half an hour of silence ends a session',
    last_seen DateTime64(6, 'UTC') COMMENT 'packet time of the last request',
    transactions UInt64 COMMENT 'requests',
    intent LowCardinality(String) COMMENT 'person, good_bot, bad_automation; unknown where none is likely enough, or the session is like none that the model knows',
    person Float32 COMMENT 'probability, if the three were as common as each other',
    good_bot Float32 COMMENT 'the same',
    bad_automation Float32 COMMENT 'the same',
    surprise Float32 COMMENT 'how unlike all that the model knows the session is, in bits a feature',
    reasons Array(String) COMMENT 'the features that spoke most for the likeliest, in words',
    features Map(LowCardinality(String), Float32) COMMENT 'all features as numbers; -1 where there was nothing to take a share of; counts and times as logarithms to base 2',
    inserted_at DateTime('UTC') DEFAULT now() COMMENT 'when the row reached the store; retention counts from here',
    version UInt64 COMMENT 'the highest of the same key counts'
)
ENGINE = /*Replicated*/ReplacingMergeTree(version)
ORDER BY (actor, first_seen, sensor, source)
TTL inserted_at + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Sessions of actors with their intent; actors with fewer than 5 requests have none';

CREATE OR REPLACE VIEW actors /*ON CLUSTER*/ AS
SELECT
    t.actor AS actor,
    t.first_seen AS first_seen,
    t.last_seen AS last_seen,
    t.transactions AS transactions,
    t.endpoints AS endpoints,
    t.addresses AS addresses,
    if(s.actor = '', 'unknown', s.intent) AS intent,
    s.bad_automation AS bad_automation,
    s.person AS person,
    s.good_bot AS good_bot,
    s.reasons AS reasons
FROM
(
    SELECT
        actor,
        min(ts) AS first_seen,
        max(ts) AS last_seen,
        count() AS transactions,
        uniq(host, method, transactions.endpoint) AS endpoints,
        uniq(remote_ip) AS addresses
    FROM transactions
    GROUP BY actor
) AS t
LEFT JOIN
(
    SELECT
        a.actor AS actor,
        argMax(toString(a.intent), (a.first_seen, a.version)) AS intent,
        argMax(a.person, (a.first_seen, a.version)) AS person,
        argMax(a.good_bot, (a.first_seen, a.version)) AS good_bot,
        argMax(a.bad_automation, (a.first_seen, a.version)) AS bad_automation,
        argMax(a.reasons, (a.first_seen, a.version)) AS reasons
    FROM actor_sessions AS a FINAL
    GROUP BY a.actor
) AS s ON s.actor = t.actor
COMMENT 'Who acts: API token, session or address, with what was seen of it and the intent of its latest session';
