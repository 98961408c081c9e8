-- Parameters of paths that are plain numbers within a narrow range: what enumeration lives on.
-- param least = 20: different values at least
SELECT host, method, endpoint, position, minimum, maximum, distinct_values, round(distinct_values / (maximum - minimum + 1), 4) AS density
FROM endpoint_parameters
WHERE location = 'path' AND has(types, 'int') AND distinct_values >= {least:UInt32} AND maximum > minimum
ORDER BY density DESC, host, endpoint, method, position
