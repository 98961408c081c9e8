-- Encapsulations that traffic came in.
SELECT encap, count() AS transactions, uniq(remote_ip) AS clients, uniq(server_ip) AS servers
FROM transactions
GROUP BY encap
ORDER BY transactions DESC, encap
