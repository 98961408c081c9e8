-- Parameters whose values are of several types: two meanings in one, or somebody is trying.
SELECT host, method, endpoint, location, name, position, types, seen
FROM endpoint_parameters
WHERE length(types) > 2
ORDER BY length(types) DESC, seen DESC, host, endpoint, method, location, name, position
