-- Requests that were refused before they left, since a credential of another lane was in them, and
-- those that left on each lane, each of them checked.
--
--   SET VARIABLE until = NULL;     -- Unix seconds, or NULL; `since` of load.sql is the session's start
SELECT
  (
    SELECT count(*) FROM anomalies
    WHERE kind = 'lane_isolation' AND ts <= coalesce(getvariable('until'), 'inf'::DOUBLE)
  ) AS refused,
  count(*) AS all_lanes,
  count(*) FILTER (lane = 'zai') AS zai,
  count(*) FILTER (lane = 'anthropic') AS anthropic
FROM usage
WHERE ts <= coalesce(getvariable('until'), 'inf'::DOUBLE);
