-- Endpoints of an API version below the newest of the same host that is called.
SELECT host, method, endpoint, version, newest, transactions, last_seen
FROM (
    SELECT *, toUInt32OrZero(extract(endpoint, '/v(\\d+)(/|$)')) AS version,
        max(toUInt32OrZero(extract(endpoint, '/v(\\d+)(/|$)'))) OVER (PARTITION BY host) AS newest
    FROM endpoints
)
WHERE version > 0 AND version < newest
ORDER BY host, endpoint, method
