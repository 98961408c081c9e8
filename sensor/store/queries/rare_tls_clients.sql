-- JA4 fingerprints that make few of a TLS service's connections: tools beside browsers.
-- param share = 1: per cent of the service's connections, at the most
SELECT ja4, server_name, sum(connections) AS of_client, any(total) AS of_service, min(first_seen) AS first_seen
FROM
(
    SELECT *, sum(connections) OVER (PARTITION BY server_name) AS total
    FROM encrypted_service_versions FINAL
)
WHERE ja4 != ''
GROUP BY ja4, server_name
HAVING of_client * 100 <= of_service * {share:UInt32}
ORDER BY of_client, server_name, ja4
