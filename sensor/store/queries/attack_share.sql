-- What share of log-ins is attack, hour by hour: 1 - s / s0 (Herley and Schechter 2019), s0 of the least attacked hour.
-- param endpoint = : template of the log-in; empty for all that are called like one
-- param least = 10: attempts of an hour below which it tells nothing
SELECT
    host, endpoint, hour, attempts, round(success, 3) AS success_share,
    round(1 - success / max(success) OVER (PARTITION BY host, endpoint), 3) AS attack_share
FROM
(
    SELECT
        m.host AS host, m.endpoint AS endpoint, toStartOfHour(m.minute) AS hour,
        sum(m.transactions) - sum(m.unanswered) AS attempts,
        1 - (sum(m.status_4xx) + sum(m.status_5xx) + sum(m.refused)) / attempts AS success
    FROM endpoint_minutes AS m
    WHERE m.method = 'POST'
        AND if({endpoint:String} = '', match(m.endpoint, '(?i)(^|[/._#:-])(log-?in|sign-?in|session|token|anmelden|connexion)'), m.endpoint = {endpoint:String})
    GROUP BY host, endpoint, hour
    HAVING attempts >= {least:UInt32}
)
ORDER BY host, endpoint, hour
