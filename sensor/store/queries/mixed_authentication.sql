-- Endpoints that are served with and without a credential.
SELECT host, method, endpoint, auth, transactions
FROM endpoints
WHERE has(auth, 'none') AND length(auth) > 1 AND status_2xx > 0
ORDER BY transactions DESC, host, endpoint, method
