-- Keys of the bodies of one endpoint: types, how often, and whether they are always there.
-- param endpoint = /: path template
-- param method = GET: request method
SELECT host, side, status, path, type, integers, required, bodies, total, partial
FROM schema_fields
WHERE endpoint = {endpoint:String} AND method = {method:String}
ORDER BY host, side, status, path, type
LIMIT 10000
