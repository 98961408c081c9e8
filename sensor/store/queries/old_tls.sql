-- TLS services that clients without TLS 1.2 ask for, or that are asked for without a name.
SELECT server_name, server_ip, server_port, sum(connections) AS connections, groupUniqArray(toString(ja4)) AS clients
FROM encrypted_service_versions FINAL
WHERE tls_version NOT IN ('1.2', '1.3') OR server_name = ''
GROUP BY server_name, server_ip, server_port
ORDER BY connections DESC, server_ip, server_port
