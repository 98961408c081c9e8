-- Who asked, where trusted proxies stand between. client_ip stays the other end of the connection.

ALTER TABLE transactions /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS remote_ip IPv6 DEFAULT client_ip
    COMMENT 'who asked: client_ip, or what trusted proxies say of it' AFTER client_port;

ALTER TABLE transactions /*ON CLUSTER*/
    MODIFY COLUMN actor String DEFAULT multiIf(
        credential != 0, concat('token:', leftPad(lower(hex(credential)), 16, '0')),
        session != 0, concat('session:', leftPad(lower(hex(session)), 16, '0')),
        concat('ip:', replaceOne(IPv6NumToString(remote_ip), '::ffff:', ''))
    );

CREATE OR REPLACE VIEW actors /*ON CLUSTER*/ AS
SELECT
    actor,
    min(ts) AS first_seen,
    max(ts) AS last_seen,
    count() AS transactions,
    uniq(host, method, transactions.endpoint) AS endpoints,
    uniq(remote_ip) AS addresses
FROM transactions
GROUP BY actor
COMMENT 'Who acts: API token, session or address, with what was seen of it';
