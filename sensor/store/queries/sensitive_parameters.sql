-- Parameters of path and query that bear secrets or personal data, which logs and histories keep.
SELECT host, method, endpoint, location, name, position, sensitive, seen
FROM endpoint_parameters
WHERE sensitive != ''
ORDER BY seen DESC, host, endpoint, method, location, name, position
