-- Endpoints whose requests had no response that the sensor saw.
SELECT host, method, endpoint, transactions, unanswered, round(unanswered / transactions, 4) AS share
FROM endpoints
WHERE unanswered > 0
ORDER BY unanswered DESC, host, endpoint, method
