-- GraphQL operations by depth and aliases, deepest first.
-- param limit = 20: rows
-- param hours = 24: hours, back from the newest transaction; 0 for all
SELECT host, endpoint, operation_type, operation, max(graphql_depth) AS depth, max(graphql_aliases) AS aliases, count() AS transactions
FROM transactions
WHERE ts >= if({hours:UInt32} = 0, toDateTime64(0, 6, 'UTC'), (SELECT max(ts) FROM transactions) - toIntervalHour({hours:UInt32}))
    AND graphql_depth > 0
GROUP BY host, endpoint, operation_type, operation
ORDER BY depth DESC, aliases DESC, host, endpoint, operation
LIMIT {limit:UInt32}
