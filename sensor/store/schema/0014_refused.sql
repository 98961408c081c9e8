-- Refusals that the status does not tell.

ALTER TABLE transactions /*ON CLUSTER*/
    ADD COLUMN IF NOT EXISTS refused LowCardinality(String) DEFAULT ''
    COMMENT 'refused: the answer says no although its status does not; untold: it would, and was not seen; else empty' AFTER status;
