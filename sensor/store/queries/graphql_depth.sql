-- GraphQL operations by depth and aliases, deepest first.
-- param limit = 20: rows
SELECT host, endpoint, operation_type, operation, max(graphql_depth) AS depth, max(graphql_aliases) AS aliases, count() AS transactions
FROM transactions
WHERE graphql_depth > 0
GROUP BY host, endpoint, operation_type, operation
ORDER BY depth DESC, aliases DESC, host, endpoint, operation
LIMIT {limit:UInt32}
