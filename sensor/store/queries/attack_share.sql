-- What share of log-ins is attack, hour by hour: 1 - s / s0 (Herley and Schechter 2019), s0 of the least attacked hour.
-- param endpoint = : template of the log-in; empty for all that are called like one
-- param least = 10: attempts of an hour below which it tells nothing
SELECT
    host, endpoint, hour, attempts, round(success, 3) AS success_share,
    round(1 - success / max(success) OVER (PARTITION BY host, endpoint), 3) AS attack_share
FROM
(
    SELECT
        host, endpoint, toStartOfHour(ts) AS hour, count() AS attempts,
        countIf(status < 400 AND refused != 'refused') / count() AS success
    FROM transactions
    WHERE method = 'POST' AND status IS NOT NULL
        AND if({endpoint:String} = '', match(endpoint, '(?i)(^|[/._#:-])(log-?in|sign-?in|session|token|anmelden|connexion)'), endpoint = {endpoint:String})
    GROUP BY host, endpoint, hour
    HAVING attempts >= {least:UInt32}
)
ORDER BY host, endpoint, hour
