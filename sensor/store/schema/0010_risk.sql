-- What an endpoint exposes, what is wrong with how it is run, and the risk that comes of it. All of it is computed when asked
-- for, from profiles, parameters and alerts: an analyst changes a weight, and every answer changes with it.

ALTER TABLE endpoint_profiles /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS facts Array(LowCardinality(String))
    COMMENT 'what some transaction showed: header fields of answers, stack traces, unsigned tokens' AFTER auth,
    ADD COLUMN IF NOT EXISTS open_2xx UInt64
    COMMENT 'requests without credentials that were answered with 2xx' AFTER facts;

CREATE OR REPLACE VIEW endpoints /*ON CLUSTER*/ AS
SELECT
    p.host AS host,
    p.method AS method,
    p.endpoint AS endpoint,
    min(p.first_seen) AS first_seen,
    max(p.last_seen) AS last_seen,
    sum(p.transactions) AS transactions,
    sum(p.unanswered) AS unanswered,
    sum(p.status_1xx) AS status_1xx,
    sum(p.status_2xx) AS status_2xx,
    sum(p.status_3xx) AS status_3xx,
    sum(p.status_4xx) AS status_4xx,
    sum(p.status_5xx) AS status_5xx,
    max(p.clients) AS clients,
    max(p.latency_us_p50) AS latency_us_p50,
    max(p.latency_us_p95) AS latency_us_p95,
    max(p.latency_us_p99) AS latency_us_p99,
    max(p.request_bytes_p50) AS request_bytes_p50,
    max(p.request_bytes_p95) AS request_bytes_p95,
    max(p.response_bytes_p50) AS response_bytes_p50,
    max(p.response_bytes_p95) AS response_bytes_p95,
    max(p.response_bytes_p99) AS response_bytes_p99,
    arraySort(groupUniqArrayArray(p.request_types)) AS request_types,
    arraySort(groupUniqArrayArray(p.response_types)) AS response_types,
    arraySort(groupUniqArrayArray(p.auth)) AS auth,
    arraySort(groupUniqArrayArray(p.facts)) AS facts,
    sum(p.open_2xx) AS open_2xx,
    arraySort(groupUniqArray(toString(p.sensor))) AS sensors
FROM endpoint_profiles AS p FINAL
WHERE p.transactions > 0
GROUP BY p.host, p.method, p.endpoint
COMMENT 'Endpoints over all runs: counts are sums; clients is a lower bound, quantiles are the largest of the runs';

CREATE VIEW IF NOT EXISTS endpoint_exposures /*ON CLUSTER*/ AS
SELECT
    p.host AS host,
    p.method AS method,
    p.endpoint AS endpoint,
    arraySort(groupUniqArrayIf(toString(p.sensitive), p.location = 'response' AND p.sensitive != '')) AS in_responses,
    arraySort(groupUniqArrayIf(toString(p.sensitive), p.location = 'body' AND p.sensitive != '')) AS in_requests,
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

CREATE VIEW IF NOT EXISTS findings /*ON CLUSTER*/ AS
WITH
    ['card', 'cvv', 'iban', 'ssn', 'national_id', 'health', 'password', 'private_key', 'cloud_key', 'payment_key'] AS grave,
    ['email', 'phone', 'birth_date', 'location'] AS personal,
    ['password', 'token', 'api_key', 'session', 'secret', 'signature', 'otp', 'jwt', 'cloud_key', 'payment_key'] AS secrets
SELECT
    host,
    method,
    endpoint,
    found.1 AS finding,
    found.2 AS owasp,
    found.3 AS severity,
    found.4 AS evidence,
    first_seen,
    last_seen
FROM
(
    SELECT
        e.*,
        x.in_responses AS in_responses,
        x.in_urls AS in_urls,
        x.urls_seen >= 20 OR x.urls_seen * 20 >= e.status_2xx + e.status_3xx AS urls_count,
        e.open_2xx > 0 AND e.open_2xx * 2 >= e.status_2xx AS is_open,
        toUInt32OrZero(extract(e.endpoint, '^/(?:[^/]+/)?[vV](\\d{1,3})(?:[./]|$)')) AS api_version,
        max(if(e.status_2xx > 0, api_version, 0)) OVER (PARTITION BY e.host) AS newest_version
    FROM endpoints AS e
    LEFT JOIN endpoint_exposures AS x ON x.host = e.host AND x.method = e.method AND x.endpoint = e.endpoint
)
ARRAY JOIN arrayFilter(one -> one.5 AND status_2xx + status_3xx + status_5xx > 0, [
    ('sensitive_without_authentication', 'API2:2023', 'high',
        concat('answers hold ', arrayStringConcat(arrayIntersect(in_responses, grave), ', '), ', and most of them went to requests without credentials'),
        is_open AND hasAny(in_responses, grave)),
    ('personal_without_authentication', 'API2:2023', 'medium',
        concat('answers hold ', arrayStringConcat(arrayIntersect(in_responses, personal), ', '), ', and most of them went to requests without credentials'),
        is_open AND hasAny(in_responses, personal) AND NOT hasAny(in_responses, grave)),
    ('secret_in_url', 'API8:2023', 'high',
        concat('path or query bear ', arrayStringConcat(arrayIntersect(in_urls, secrets), ', '), ', which logs and histories keep'),
        urls_count AND hasAny(in_urls, secrets)),
    ('personal_in_url', 'API8:2023', 'medium',
        concat('path or query bear ', arrayStringConcat(arrayFilter(c -> NOT has(secrets, c), in_urls), ', '), ', which logs keep'),
        urls_count AND arrayExists(c -> NOT has(secrets, c), in_urls)),
    ('unsigned_token', 'API2:2023', 'critical',
        'a JWT without a signature was taken where nobody is served without one', has(facts, 'unsigned_jwt') AND open_2xx = 0),
    ('basic_authentication', 'API2:2023', 'medium',
        'the password itself travels with each request (Basic)', has(auth, 'basic')),
    ('stack_trace', 'API8:2023', 'medium',
        'an error showed program text: a stack trace or a message of a database', has(facts, 'stack_trace')),
    ('any_origin_with_credentials', 'API8:2023', 'high',
        'Access-Control-Allow-Origin: * together with Access-Control-Allow-Credentials: true', has(facts, 'any_origin_with_credentials')),
    ('version_told', 'API8:2023', 'low',
        'Server, X-Powered-By or X-AspNet-Version tell the version of what runs', has(facts, 'version_told')),
    ('cookie_without_secure', 'API8:2023', 'medium',
        'a session cookie was set without Secure', has(facts, 'insecure_cookie')),
    ('cookie_without_httponly', 'API8:2023', 'medium',
        'a session cookie was set without HttpOnly', has(facts, 'script_cookie')),
    ('missing_security_headers', 'API8:2023', 'low',
        concat('no answer bore ', arrayStringConcat(arrayFilter(h -> h != '', [
            if(has(facts, 'content_type_options'), '', 'X-Content-Type-Options'),
            if(has(facts, 'strict_transport'), '', 'Strict-Transport-Security')]), ' or ')),
        status_2xx > 0 AND NOT (has(facts, 'content_type_options') AND has(facts, 'strict_transport'))),
    ('trace_enabled', 'API8:2023', 'medium',
        'TRACE was answered: it repeats what a browser sent, credentials included', method = 'TRACE' AND status_2xx > 0),
    ('deprecated_in_use', 'API9:2023', 'low',
        'answers bear Deprecation or Sunset, and it is still called', has(facts, 'deprecated')),
    ('old_version', 'API9:2023', 'low',
        concat('version ', toString(api_version), ' is called beside version ', toString(newest_version)),
        api_version > 0 AND api_version < newest_version),
    ('test_host', 'API9:2023', 'medium',
        'the host is named as one for tests or for internal use',
        status_2xx > 0 AND clients > 1 AND match(host, '(^|[.-])(dev|develop|test|testing|stage|staging|qa|uat|sandbox|preprod|internal|intranet)\\d*[.-]'))
]) AS found
COMMENT 'What is wrong with how endpoints are run: each kind once for an endpoint, with what it rests on';

CREATE TABLE IF NOT EXISTS risk_weights /*ON CLUSTER*/
(
    factor LowCardinality(String) COMMENT 'name of a factor, as in risk_factors',
    weight Float64 COMMENT 'points that the factor adds at its most; 0 leaves it out',
    changed DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'the newest of a factor counts'
)
ENGINE = /*Replicated*/ReplacingMergeTree(changed)
ORDER BY factor
COMMENT 'Weights of your own; tapwatch store weigh writes them';

CREATE VIEW IF NOT EXISTS risk_factors /*ON CLUSTER*/ AS
SELECT
    d.factor.1 AS factor,
    if(w.factor = '', d.factor.2, w.weight) AS weight,
    d.factor.3 AS meaning
FROM
(
    SELECT arrayJoin([
        ('exposure', 1., 'how many clients call it, by the logarithm: 1 from a thousand on'),
        ('authentication', 2., 'the share of served requests that came without credentials'),
        ('sensitive_data', 3., '1 for cards, identity numbers, health, keys in answers; a half for other classes; a quarter in requests'),
        ('guessable_identifiers', 1.5, '1 where a number names what is asked for, and 20 or more were seen'),
        ('unbounded_lists', 1., '1 where an answer in a hundred is over 256 KiB, or pages of 1,000 and more are asked for'),
        ('verbose_errors', 1., '1 for stack traces; a half where one answer in twenty is a 5xx'),
        ('deprecated', 0.5, '1 for an old version, or one that says it is deprecated'),
        ('findings', 1., 'by the gravest finding: critical and high 1, medium a half'),
        ('alerts', 2., 'by the gravest incident at the endpoint: critical 1, high 0.8, medium 0.5, low 0.2')
    ]) AS factor
) AS d
LEFT JOIN (SELECT * FROM risk_weights FINAL) AS w ON w.factor = d.factor.1
COMMENT 'What risk is made of, with the weights that are in force';

CREATE VIEW IF NOT EXISTS endpoint_inventory /*ON CLUSTER*/ AS
WITH (SELECT groupArray((factor, weight)) FROM risk_factors) AS weights
SELECT
    e.host AS host,
    e.method AS method,
    e.endpoint AS endpoint,
    e.first_seen AS first_seen,
    e.last_seen AS last_seen,
    e.transactions AS transactions,
    e.unanswered AS unanswered,
    e.status_1xx AS status_1xx,
    e.status_2xx AS status_2xx,
    e.status_3xx AS status_3xx,
    e.status_4xx AS status_4xx,
    e.status_5xx AS status_5xx,
    e.clients AS clients,
    e.latency_us_p50 AS latency_us_p50,
    e.latency_us_p95 AS latency_us_p95,
    e.latency_us_p99 AS latency_us_p99,
    e.request_bytes_p50 AS request_bytes_p50,
    e.request_bytes_p95 AS request_bytes_p95,
    e.response_bytes_p50 AS response_bytes_p50,
    e.response_bytes_p95 AS response_bytes_p95,
    e.response_bytes_p99 AS response_bytes_p99,
    e.request_types AS request_types,
    e.response_types AS response_types,
    e.auth AS auth,
    e.facts AS facts,
    e.open_2xx AS open_2xx,
    e.sensors AS sensors,
    x.in_responses AS sensitive_in_responses,
    x.in_requests AS sensitive_in_requests,
    x.in_urls AS sensitive_in_urls,
    f.names AS findings,
    a.incidents AS alerts,
    map(
        'exposure', least(1., log10(e.clients + 1) / 3),
        'authentication', if(e.status_2xx = 0, 0., least(1., e.open_2xx / e.status_2xx)),
        'sensitive_data', multiIf(
            hasAny(x.in_responses, ['card', 'cvv', 'iban', 'ssn', 'national_id', 'health', 'password', 'private_key', 'cloud_key', 'payment_key']), 1.,
            notEmpty(x.in_responses) OR notEmpty(x.in_urls), 0.5,
            notEmpty(x.in_requests), 0.25, 0.),
        'guessable_identifiers', if(x.guessable >= 20, 1., 0.),
        'unbounded_lists', if(e.response_bytes_p99 >= 262144 OR x.largest_page >= 1000, 1., 0.),
        'verbose_errors', multiIf(has(e.facts, 'stack_trace'), 1., e.status_5xx * 20 >= e.transactions, 0.5, 0.),
        'deprecated', if(hasAny(f.names, ['old_version', 'deprecated_in_use']), 1., 0.),
        'findings', multiIf(f.gravest >= 2, 1., f.gravest = 1, 0.5, 0.),
        'alerts', a.gravest
    ) AS factors,
    round(least(10., arraySum(w -> w.2 * factors[w.1], weights)), 1) AS risk
FROM endpoints AS e
LEFT JOIN endpoint_exposures AS x ON x.host = e.host AND x.method = e.method AND x.endpoint = e.endpoint
LEFT JOIN
(
    SELECT host, method, endpoint, arraySort(groupArray(finding)) AS names,
        max(transform(severity, ['medium', 'high', 'critical'], [1, 2, 3], 0)) AS gravest
    FROM findings
    GROUP BY host, method, endpoint
) AS f ON f.host = e.host AND f.method = e.method AND f.endpoint = e.endpoint
LEFT JOIN
(
    SELECT host, method, endpoint, count() AS incidents,
        max(transform(toString(severity), ['low', 'medium', 'high', 'critical'], [0.2, 0.5, 0.8, 1.], 0.)) AS gravest
    FROM alerts
    GROUP BY host, method, endpoint
) AS a ON a.host = e.host AND a.method = e.method AND a.endpoint = e.endpoint
COMMENT 'Endpoints with what they expose, what is wrong with them, and their risk from 0 to 10 with its factors';
