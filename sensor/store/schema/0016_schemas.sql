-- Schemas of JSON bodies and what changed in them; header fields and cookies as parameters; what JWTs say of themselves.

CREATE TABLE IF NOT EXISTS schema_field_versions /*ON CLUSTER*/
(
    sensor LowCardinality(String) COMMENT 'name of the sensor',
    source LowCardinality(String) COMMENT '16 hex digits naming the capture or the live run',
    host String COMMENT 'Host or :authority, lower case',
    method LowCardinality(String) COMMENT 'request method',
    endpoint String COMMENT 'path template',
    side LowCardinality(String) COMMENT 'request or response',
    status UInt16 COMMENT 'of the response; 0 for requests, of which those that were answered with 2xx count',
    path String COMMENT 'key path, as items[].price; a key that is itself a value by its class; empty for the body itself',
    type LowCardinality(String) COMMENT 'object, array, string, number, boolean or null: one row each',
    integers UInt8 COMMENT '1: all of its numbers were integers',
    required UInt8 COMMENT '1: each object that could have had the key had it',
    bodies UInt64 COMMENT 'bodies that had it; where only a share of them is looked at, what these stand for',
    total UInt64 COMMENT 'bodies of this kind that were looked at',
    partial UInt64 COMMENT 'of these, bodies that were not seen to their end, or had too many keys',
    appeared_after UInt64 COMMENT 'bodies before the first that had it; 0 also where that is not known',
    unseen_for UInt64 COMMENT 'bodies since the last that had it; 0 also where that is not known',
    first_seen DateTime64(6, 'UTC') COMMENT 'packet time of the first request whose exchange had it',
    last_seen DateTime64(6, 'UTC') COMMENT 'packet time of the last',
    version UInt64 COMMENT 'the highest of the same key counts'
)
ENGINE = /*Replicated*/ReplacingMergeTree(version)
ORDER BY (host, endpoint, method, side, status, path, type, sensor, source)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Keys of JSON bodies by run; read the views schema_fields and schema_drift';

CREATE VIEW IF NOT EXISTS schema_fields /*ON CLUSTER*/ AS
SELECT
    f.host AS host,
    f.method AS method,
    f.endpoint AS endpoint,
    f.side AS side,
    f.status AS status,
    f.path AS path,
    f.type AS type,
    min(f.integers) AS integers,
    min(f.required) AS required,
    sum(f.bodies) AS bodies,
    sum(f.total) AS total,
    sum(f.partial) AS partial,
    min(f.first_seen) AS first_seen,
    max(f.last_seen) AS last_seen
FROM schema_field_versions AS f FINAL
GROUP BY f.host, f.method, f.endpoint, f.side, f.status, f.path, f.type
COMMENT 'Keys of JSON bodies over all runs; a key is required where every run says so';

CREATE VIEW IF NOT EXISTS schema_drift /*ON CLUSTER*/ AS
SELECT
    if(appeared, f.first_seen, f.last_seen) AS ts,
    f.host AS host,
    f.method AS method,
    f.endpoint AS endpoint,
    f.side AS side,
    f.status AS status,
    f.path AS path,
    f.type AS type,
    multiIf(NOT appeared, 'gone', f.types_of_path > 1, 'new_type', 'new_key') AS change,
    if(appeared, f.appeared_after, f.unseen_for) AS bodies_without,
    f.bodies AS bodies_with,
    f.sensor AS sensor,
    f.source AS source,
    f.appeared_after > 0 AND f.bodies * log(f.total / (f.total - f.appeared_after)) > log(10000) AS appeared
FROM
(
    SELECT
        *,
        countIf(type != 'null') OVER (PARTITION BY sensor, source, host, method, endpoint, side, status, path) AS types_of_path
    FROM schema_field_versions FINAL
) AS f
WHERE f.type != 'null'
    AND f.bodies >= 3
    AND (appeared OR (f.unseen_for > 0 AND f.bodies * log(f.total / (f.total - f.unseen_for)) > log(10000)))
COMMENT 'Keys and types that came or went: were each body as likely to have the key as any other, the bodies without it would all come before (or after) those with it once in 10,000 times at the most';

ALTER TABLE endpoint_parameter_versions /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS requests UInt64
    COMMENT 'served requests that could have borne it; 0 for fields of answers, and where an older version wrote the row' AFTER seen,
    ADD COLUMN IF NOT EXISTS values Array(String)
    COMMENT 'all words that it takes, where they are few and name nobody; else empty' AFTER distinct_values;

CREATE OR REPLACE VIEW endpoint_parameters /*ON CLUSTER*/ AS
SELECT
    p.host AS host,
    p.method AS method,
    p.endpoint AS endpoint,
    p.location AS location,
    p.name AS name,
    p.position AS position,
    sum(p.seen) AS seen,
    sum(p.requests) AS requests,
    arraySort(groupUniqArrayArray(p.types)) AS types,
    min(p.minimum) AS minimum,
    max(p.maximum) AS maximum,
    min(p.shortest) AS shortest,
    max(p.longest) AS longest,
    max(p.distinct_values) AS distinct_values,
    if(min(length(p.values)) = 0, [], arraySort(groupUniqArrayArray(p.values))) AS values,
    max(p.sensitive) AS sensitive
FROM endpoint_parameter_versions AS p FINAL
WHERE p.seen > 0
GROUP BY p.host, p.method, p.endpoint, p.location, p.name, p.position
COMMENT 'Parameters of endpoints over all runs: types, ranges, and words where these are few and name nobody';

ALTER TABLE endpoint_profiles /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS jwt_algorithms Array(LowCardinality(String))
    COMMENT 'algorithms of the JWTs with which requests were served' AFTER open_2xx,
    ADD COLUMN IF NOT EXISTS jwt_issuers Array(String) COMMENT 'who issued them, up to four' AFTER jwt_algorithms,
    ADD COLUMN IF NOT EXISTS jwt_audiences Array(String) COMMENT 'whom they are meant for, up to four' AFTER jwt_issuers,
    ADD COLUMN IF NOT EXISTS jwt_lifetime_s Nullable(UInt64)
    COMMENT 'seconds from issue to end of the longest-lived; NULL where none tells' AFTER jwt_audiences,
    ADD COLUMN IF NOT EXISTS jwt_unlimited UInt8 COMMENT '1: some of them never expire' AFTER jwt_lifetime_s;

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
    arraySort(groupUniqArrayArray(p.jwt_algorithms)) AS jwt_algorithms,
    arraySort(groupUniqArrayArray(p.jwt_issuers)) AS jwt_issuers,
    arraySort(groupUniqArrayArray(p.jwt_audiences)) AS jwt_audiences,
    max(p.jwt_lifetime_s) AS jwt_lifetime_s,
    max(p.jwt_unlimited) AS jwt_unlimited,
    arraySort(groupUniqArray(toString(p.sensor))) AS sensors
FROM endpoint_profiles AS p FINAL
WHERE p.transactions > 0
GROUP BY p.host, p.method, p.endpoint
COMMENT 'Endpoints over all runs: counts are sums; clients is a lower bound, quantiles are the largest of the runs';

CREATE OR REPLACE VIEW endpoint_exposures /*ON CLUSTER*/ AS
SELECT
    p.host AS host,
    p.method AS method,
    p.endpoint AS endpoint,
    arraySort(groupUniqArrayIf(toString(p.sensitive), p.location = 'response' AND p.sensitive != '')) AS in_responses,
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

CREATE OR REPLACE VIEW findings /*ON CLUSTER*/ AS
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
        extract(e.endpoint, '^(?:/[^/]+){1,2}') AS resource,
        e.open_2xx = 0 AND e.status_2xx > 0 AS is_guarded,
        sum(is_guarded) OVER (PARTITION BY e.host, resource) AS guarded_beside,
        sum(is_open) OVER (PARTITION BY e.host, resource) AS open_beside,
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
    ('long_lived_token', 'API2:2023', 'low',
        if(jwt_unlimited, 'JWTs that never expire are taken where nobody is served without one', concat('JWTs that live for ', toString(intDiv(jwt_lifetime_s, 86400)), ' days are taken')),
        open_2xx = 0 AND (jwt_unlimited OR ifNull(jwt_lifetime_s, 0) > 86400)),
    ('open_among_guarded', 'API2:2023', 'medium',
        concat('it serves who has no credential, where ', toString(guarded_beside), ' endpoints beside it under ', resource, ' serve nobody without one'),
        is_open AND guarded_beside >= 3 AND guarded_beside >= 4 * open_beside
            AND NOT match(lower(endpoint), 'log-?in|log-?out|sign-?(in|up)|register|auth|token|session|password|reset|verify|callback|webhook|health|ping|status|version|public')),
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
