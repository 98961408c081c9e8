-- What is in no document, and what documents and hosts have to do with versions; how many values show what they should not;
-- incidents that an analyst called harmless are no risk.

ALTER TABLE endpoint_parameter_versions /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS sensitive_seen UInt64
    COMMENT 'values that were taken for the class in sensitive, at least' AFTER sensitive;

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
    arraySort(groupUniqArrayArray(p.alphabet)) AS alphabet,
    max(p.distinct_values) AS distinct_values,
    if(min(length(p.values)) = 0, [], arraySort(groupUniqArrayArray(p.values))) AS values,
    max(p.sensitive) AS sensitive,
    sumMap(map(toString(p.sensitive), p.sensitive_seen))[max(toString(p.sensitive))] AS sensitive_seen
FROM endpoint_parameter_versions AS p FINAL
WHERE p.seen > 0
GROUP BY p.host, p.method, p.endpoint, p.location, p.name, p.position
COMMENT 'Parameters of endpoints over all runs: types, ranges, and words where these are few and name nobody';

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
        x.in_requests AS in_requests,
        x.urls_seen >= 20 OR x.urls_seen * 20 >= e.status_2xx + e.status_3xx AS urls_count,
        e.open_2xx > 0 AND e.open_2xx * 2 >= e.status_2xx AS is_open,
        extract(e.endpoint, '^(?:/[^/]+){1,2}') AS resource,
        e.open_2xx = 0 AND e.status_2xx > 0 AS is_guarded,
        arrayConcat(arrayIntersect(e.auth, ['basic', 'bearer', 'jwt', 'api_key', 'cookie']),
            arrayIntersect(x.in_requests, ['token', 'api_key', 'secret', 'otp'])) AS borne,
        if(is_guarded, arraySort(arrayDistinct(borne)), []) AS clear,
        sum(is_guarded) OVER (PARTITION BY e.host, resource) AS guarded_beside,
        sum(is_open) OVER (PARTITION BY e.host, resource) AS open_beside,
        arrayFilter(h -> h != '', [
            if(has(e.facts, 'content_type_options'), '', 'X-Content-Type-Options'),
            if(has(e.facts, 'strict_transport'), '', 'Strict-Transport-Security'),
            if(has(e.facts, 'content_security') OR NOT has(e.response_types, 'text/html'), '', 'Content-Security-Policy'),
            if(has(e.facts, 'frame_options') OR NOT has(e.response_types, 'text/html'), '', 'X-Frame-Options'),
            if(has(e.facts, 'referrer_policy') OR NOT has(e.response_types, 'text/html'), '', 'Referrer-Policy')]) AS missing,
        toUInt32OrZero(extract(e.endpoint, '^/(?:[^/]+/)?[vV](\\d{1,3})(?:[./]|$)')) AS api_version,
        extract(e.endpoint, '^(/(?:[^/]+/)?)[vV]\\d{1,3}(?:[./]|$)') AS before_version,
        max(if(e.status_2xx > 0, api_version, 0)) OVER (PARTITION BY e.host, before_version) AS newest_version
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
        'a JWT without a signature was taken where nobody is served without one', (has(facts, 'unsigned_jwt') OR has(jwt_algorithms, 'none')) AND open_2xx = 0),
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
    ('null_origin_with_credentials', 'API8:2023', 'high',
        'Access-Control-Allow-Origin: null together with Access-Control-Allow-Credentials: true: any page in a sandboxed frame has that origin',
        has(facts, 'null_origin_with_credentials')),
    ('many_origins_with_credentials', 'API8:2023', 'medium',
        'four sites and more were each allowed to read answers with credentials: it seems to echo the Origin of whoever asks',
        has(facts, 'many_origins_with_credentials')),
    ('cleartext_password', 'API2:2023', 'medium',
        'passwords come over connections without TLS as the sensor sees them, and no answer asks for TLS (Strict-Transport-Security)',
        has(in_requests, 'password') AND NOT has(facts, 'strict_transport')),
    ('cleartext_credentials', 'API2:2023', 'low',
        concat('credentials come over connections without TLS as the sensor sees them (',
            arrayStringConcat(clear, ', '), '), and no answer asks for TLS (Strict-Transport-Security)'),
        notEmpty(clear) AND NOT has(facts, 'strict_transport')),
    ('sensitive_and_cacheable', 'API8:2023', 'low',
        concat('answers hold ', arrayStringConcat(arrayIntersect(in_responses, arrayConcat(grave, personal)), ', '),
            ', and none says Cache-Control: no-store or private'),
        method = 'GET' AND hasAny(in_responses, arrayConcat(grave, personal)) AND NOT has(facts, 'no_store')),
    ('secret_in_redirect', 'API8:2023', 'high',
        'answers lead (Location) to URLs that bear a token or a password, which browsers keep and hand on', has(facts, 'secret_in_redirect')),
    ('version_told', 'API8:2023', 'low',
        'Server, X-Powered-By, X-Generator or X-AspNet-Version tell the version of what runs', has(facts, 'version_told')),
    ('cookie_without_secure', 'API8:2023', 'medium',
        'a session cookie was set without Secure', has(facts, 'insecure_cookie')),
    ('cookie_without_httponly', 'API8:2023', 'medium',
        'a session cookie was set without HttpOnly', has(facts, 'script_cookie')),
    ('missing_security_headers', 'API8:2023', 'low',
        concat('no answer bore ', arrayStringConcat(missing, ', ')), status_2xx > 0 AND notEmpty(missing)),
    ('trace_enabled', 'API8:2023', 'medium',
        'TRACE was answered: it repeats what a browser sent, credentials included', method = 'TRACE' AND status_2xx > 0),
    ('deprecated_in_use', 'API9:2023', 'low',
        'answers bear Deprecation or Sunset, and it is still called', has(facts, 'deprecated')),
    ('old_version', 'API9:2023', 'low',
        concat('version ', toString(api_version), ' is called beside version ', toString(newest_version)),
        api_version > 0 AND api_version < newest_version),
    ('undocumented', 'API9:2023', 'medium',
        'it is called and served, and stands in none of the OpenAPI documents of its host',
        status_2xx > 0 AND has(facts, 'undocumented') AND NOT has(facts, 'documented')),
    ('test_host', 'API9:2023', 'medium',
        if(match(host, '^[\\d\\[]'), 'it is asked for by an address of a private network',
            'the host is named as one for tests or for internal use'),
        status_2xx > 0 AND clients > 1 AND multiMatchAny(lower(host), [
            '(^|[.-])(dev|develop|development|test|testing|stage|staging|qa|uat|sandbox|preprod|internal|intranet)\\d*[.-].*\\.',
            '^localhost(:\\d+)?$', '\\.(local|localhost|internal|intranet|corp|lan|home\\.arpa|svc)(:\\d+)?$',
            '^(10|127)\\.\\d+\\.\\d+\\.\\d+(:\\d+)?$', '^(192\\.168|172\\.(1[6-9]|2[0-9]|3[01]))\\.\\d+\\.\\d+(:\\d+)?$',
            '^\\[f[cd]']))
]) AS found
COMMENT 'What is wrong with how endpoints are run: each kind once for an endpoint, with what it rests on';

CREATE OR REPLACE VIEW risk_factors /*ON CLUSTER*/ AS
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
        ('undocumented', 1., '1 where OpenAPI documents are given for the host, and it stands in none'),
        ('deprecated', 0.5, '1 for an old version, or one that says it is deprecated'),
        ('findings', 1., 'by the gravest finding: critical and high 1, medium a half'),
        ('alerts', 2., 'by the gravest incident at the endpoint that nobody called harmless: critical 1, high 0.8, medium 0.5, low 0.2')
    ]) AS factor
) AS d
LEFT JOIN (SELECT * FROM risk_weights FINAL) AS w ON w.factor = d.factor.1
COMMENT 'What risk is made of, with the weights that are in force';

CREATE OR REPLACE VIEW endpoint_inventory /*ON CLUSTER*/ AS
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
    e.statuses AS statuses,
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
        'undocumented', if(has(f.names, 'undocumented'), 1., 0.),
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
    WHERE mark NOT IN ('false-positive', 'benign')
    GROUP BY host, method, endpoint
) AS a ON a.host = e.host AND a.method = e.method AND a.endpoint = e.endpoint
COMMENT 'Endpoints with what they expose, what is wrong with them, and their risk from 0 to 10 with its factors';
