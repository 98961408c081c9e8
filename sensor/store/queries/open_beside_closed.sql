-- Endpoints that ask for no credential although most under the same first segments do.
-- param least = 3: endpoints that must lie there
SELECT e.host AS host, e.method AS method, e.endpoint AS endpoint, e.transactions AS transactions, round(g.closed, 2) AS closed_share
FROM endpoints AS e
GLOBAL INNER JOIN (
    SELECT host, arrayStringConcat(arraySlice(splitByChar('/', endpoint), 1, 3), '/') AS area, avg(NOT has(auth, 'none')) AS closed, count() AS n
    FROM endpoints GROUP BY host, area
) AS g ON g.host = e.host AND g.area = arrayStringConcat(arraySlice(splitByChar('/', e.endpoint), 1, 3), '/')
WHERE has(e.auth, 'none') AND g.closed >= 0.5 AND g.n >= {least:UInt32} AND e.status_2xx > 0
ORDER BY transactions DESC, host, endpoint, method
