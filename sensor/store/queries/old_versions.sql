-- Endpoints of a version below the newest that is called of the same API: of what stands before it in paths.
SELECT host, method, endpoint, version, newest, transactions, last_seen
FROM (
    SELECT *, toUInt32OrZero(extract(endpoint, '/[vV](\\d{1,3})(?:[./]|$)')) AS version,
        extract(endpoint, '^(.*?/)[vV]\\d{1,3}(?:[./]|$)') AS before_version,
        max(if(status_2xx > 0, version, 0)) OVER (PARTITION BY host, before_version) AS newest
    FROM endpoints
)
WHERE version > 0 AND version < newest
ORDER BY host, endpoint, method
