-- Header fields of answers are looked at as their bodies are.

ALTER TABLE endpoint_parameter_versions /*ON CLUSTER*/
    COMMENT COLUMN IF EXISTS location 'path, query, body, header or cookie of requests; response (its body) or response_header';

CREATE OR REPLACE VIEW endpoint_exposures /*ON CLUSTER*/ AS
SELECT
    p.host AS host,
    p.method AS method,
    p.endpoint AS endpoint,
    arraySort(groupUniqArrayIf(toString(p.sensitive), p.location IN ('response', 'response_header') AND p.sensitive != ''))
        AS in_responses,
    arraySort(groupUniqArrayIf(toString(p.sensitive), p.location IN ('body', 'header', 'cookie') AND p.sensitive != '')) AS in_requests,
    arraySort(groupUniqArrayIf(toString(p.sensitive), p.location IN ('path', 'query') AND p.sensitive != '')) AS in_urls,
    maxIf(p.seen, p.location IN ('path', 'query') AND p.sensitive != '') AS urls_seen,
    arraySort(groupUniqArrayIf(concat(toString(p.location), ' ', if(p.name = '', toString(p.position), p.name)), p.sensitive != ''))
        AS places,
    maxIf(p.distinct_values, p.location IN ('path', 'query') AND has(p.types, 'int')) AS guessable,
    maxIf(ifNull(p.maximum, 0), p.location = 'query' AND match(lower(p.name), '^(limit|page_?size|per_?page|size|count|first|top|rows)$'))
        AS largest_page
FROM endpoint_parameters AS p
GROUP BY p.host, p.method, p.endpoint
COMMENT 'Classes of sensitive data by endpoint and where they are, never values; what makes an endpoint easy to walk through';
