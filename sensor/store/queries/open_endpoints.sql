-- Endpoints that were served without any credential, most called first.
SELECT host, method, endpoint, transactions, status_2xx, clients
FROM endpoints
WHERE has(auth, 'none') AND status_2xx > 0
ORDER BY transactions DESC, host, endpoint, method
