-- How the streams of a session ended, and what else was not whole.
--
--   SET VARIABLE until = NULL;     -- Unix seconds, or NULL; `since` of load.sql is the session's start
--   SET VARIABLE apart = NULL;     -- a list of sessions, or NULL: drills in which something was broken on
--                                  -- purpose (a fault plan, chaos), which judge each exchange themselves
--
-- "altered" are exchanges that neither an error nor the end of a stream explains, and that were all the
-- same not delivered as they were received.
WITH judged AS (
  SELECT
    *,
    coalesce(list_contains(getvariable('apart'), session), false) AS is_apart,
    err_type IS NULL AND NOT coalesce(intact, false) AND coalesce(sse, 'complete') = 'complete' AS is_altered
  FROM usage
  WHERE ts <= coalesce(getvariable('until'), 'inf'::DOUBLE)
)
SELECT
  count(*) FILTER (NOT is_apart) AS exchanges,
  count(*) FILTER (is_apart) AS apart,
  count(sse) FILTER (NOT is_apart) AS streams,
  count(*) FILTER (NOT is_apart AND sse = 'complete' AND intact) AS whole,
  count(*) FILTER (NOT is_apart AND sse = 'cut') AS cut,
  count(*) FILTER (NOT is_apart AND sse = 'stalled') AS stalled,
  count(*) FILTER (NOT is_apart AND sse = 'upstream_error') AS upstream_error,
  count(*) FILTER (NOT is_apart AND sse = 'client_gone') AS client_gone,
  count(*) FILTER (NOT is_apart AND is_altered) AS altered,
  count(*) FILTER (NOT is_apart AND err_type = 'timeout') AS timeouts,
  count(err_type) FILTER (NOT is_apart) AS errors,
  arg_min(rid, ts, 5) FILTER (
    NOT is_apart AND (coalesce(sse, 'complete') <> 'complete' OR is_altered OR err_type = 'timeout')
  ) AS rids
FROM judged;
