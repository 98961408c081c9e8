-- What share of log-ins is attack, hour by hour: 1 - s / s0 (Herley and Schechter 2019), s0 of the least attacked hour.
-- param endpoint = : template of the log-in; empty for all that are called like one
-- param least = 10: attempts of an hour below which it tells nothing
SELECT host, endpoint, hour, attempts, round(success, 3) AS success_share, round(attack_share, 3) AS attack_share
FROM attack_share AS a
WHERE a.attempts >= {least:UInt32}
    AND if({endpoint:String} = '', match(a.endpoint, '(?i)(^|[/._#:-])(log-?in|sign-?in|session|token|anmelden|connexion)'), a.endpoint = {endpoint:String})
ORDER BY host, endpoint, hour
