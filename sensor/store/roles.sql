-- Least privileges on a ClickHouse server, for the database `tapwatch`. Run it as an administrator, once; then give the roles:
--
--     CREATE USER sensor1 IDENTIFIED WITH sha256_password BY '...' DEFAULT ROLE tapwatch_sensor;
--     CREATE USER anna IDENTIFIED WITH sha256_password BY '...' DEFAULT ROLE tapwatch_analyst;
--
-- A sensor adds rows and reads; it changes no schema: an administrator runs `tapwatch schema apply` for each new version.
CREATE ROLE IF NOT EXISTS tapwatch_sensor /*ON CLUSTER*/;
GRANT /*ON CLUSTER*/ SELECT, INSERT ON tapwatch.* TO tapwatch_sensor;

-- An analyst reads, and marks alerts. No query of his takes all of the server.
CREATE ROLE IF NOT EXISTS tapwatch_analyst /*ON CLUSTER*/;
GRANT /*ON CLUSTER*/ SELECT ON tapwatch.* TO tapwatch_analyst;
GRANT /*ON CLUSTER*/ INSERT ON tapwatch.alert_marks TO tapwatch_analyst;
CREATE SETTINGS PROFILE IF NOT EXISTS tapwatch_analyst /*ON CLUSTER*/
    SETTINGS max_execution_time = 60, max_memory_usage = 4000000000 TO tapwatch_analyst;

-- A dashboard reads, and nothing else.
CREATE ROLE IF NOT EXISTS tapwatch_reader /*ON CLUSTER*/;
GRANT /*ON CLUSTER*/ SELECT ON tapwatch.* TO tapwatch_reader;
CREATE SETTINGS PROFILE IF NOT EXISTS tapwatch_reader /*ON CLUSTER*/
    SETTINGS readonly = 2, max_execution_time = 60, max_memory_usage = 4000000000 TO tapwatch_reader;

-- Whoever brings the schema up to date, removes what is old (`store keep`), and merges (`store vacuum`).
CREATE ROLE IF NOT EXISTS tapwatch_admin /*ON CLUSTER*/;
GRANT /*ON CLUSTER*/ CREATE DATABASE, CREATE TABLE, CREATE VIEW, ALTER, DROP, TRUNCATE, OPTIMIZE, SELECT, INSERT ON tapwatch.* TO tapwatch_admin;
