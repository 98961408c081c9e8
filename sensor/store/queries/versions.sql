-- HTTP versions by host.
SELECT host, http_version, count() AS transactions, uniq(remote_ip) AS clients
FROM transactions
GROUP BY host, http_version
ORDER BY transactions DESC, host, http_version
