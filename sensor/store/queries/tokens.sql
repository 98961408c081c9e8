-- What JWTs say of themselves: algorithm, issuer, audience and lifetime by endpoint, the longest-lived first.
SELECT host, method, endpoint, jwt_algorithms, jwt_issuers, jwt_audiences, jwt_lifetime_s, jwt_unlimited, open_2xx
FROM endpoints
WHERE notEmpty(jwt_algorithms)
ORDER BY jwt_unlimited DESC, jwt_lifetime_s DESC, host, endpoint, method
LIMIT 1000
