-- Exchanges counted and measured by the values of one dimension, the largest group first.
--
--   SET VARIABLE dimension = 'lane';    -- or op, status, err_type, header_mode, protocol, decision,
--                                       -- agent, model, lane_op, lane_model, total
--
-- A value that is NULL is called "none". Of the models asked for, the 100 most frequent have a group
-- each, all others "(other)".
--
-- Quantiles are by nearest rank: of n values in order, p95 is the one at place ceil(0.95 * n), counted
-- from 1. It is a value that was measured, never one between two.
WITH named AS (
  SELECT
    *,
    CASE
      WHEN model IS NULL THEN 'none'
      WHEN model IN (FROM frequent_models) THEN model
      ELSE '(other)'
    END AS asked
  FROM usage
)
SELECT
  CASE getvariable('dimension')
    WHEN 'lane' THEN coalesce(lane, 'none')
    WHEN 'op' THEN coalesce(op, 'none')
    WHEN 'status' THEN coalesce(CAST(status AS VARCHAR), 'none')
    WHEN 'err_type' THEN coalesce(err_type, 'none')
    WHEN 'header_mode' THEN coalesce(header_mode, 'none')
    WHEN 'protocol' THEN CASE WHEN h2 THEN 'h2' ELSE 'h1' END
    WHEN 'decision' THEN coalesce(decision, 'none')
    WHEN 'agent' THEN coalesce(agent, 'none')
    WHEN 'model' THEN asked
    WHEN 'lane_op' THEN coalesce(lane, 'none') || '/' || coalesce(op, 'none')
    WHEN 'lane_model' THEN coalesce(lane, 'none') || '/' || asked
    ELSE 'all'
  END AS key,
  count(*) AS exchanges,
  count(err_type) AS errors,
  count(*) FILTER (sse = 'complete') AS complete,
  count(*) FILTER (sse = 'upstream_error') AS upstream_error,
  count(*) FILTER (sse = 'cut') AS cut,
  count(*) FILTER (sse = 'stalled') AS stalled,
  count(*) FILTER (sse = 'client_gone') AS client_gone,
  count(*) FILTER (NOT intact) AS not_intact,
  count(*) FILTER (NOT intact AND err_type IS NULL AND coalesce(sse, 'complete') = 'complete') AS not_intact_unexplained,
  count(*) FILTER (retry) AS retries,
  coalesce(sum(attempts), 0) AS attempts,
  count(*) FILTER (backoff_ms > 0) AS backoffs,
  coalesce(sum(backoff_ms), 0) AS backoff_ms,
  count(output_tokens) AS metered,
  coalesce(sum(input_tokens), 0) AS input_tokens,
  coalesce(sum(output_tokens), 0) AS output_tokens,
  coalesce(sum(cache_read_tokens), 0) AS cache_read_tokens,
  coalesce(sum(cache_write_tokens), 0) AS cache_write_tokens,
  coalesce(sum(bytes_up), 0) AS bytes_up,
  coalesce(sum(bytes_down), 0) AS bytes_down,
  count(latency_ms) AS latency_count,
  quantile_disc(latency_ms, [0.50, 0.95, 0.99]) AS latency_quantiles,
  max(latency_ms) AS latency_max,
  count(ttfb_ms) AS ttfb_count,
  quantile_disc(ttfb_ms, [0.50, 0.95, 0.99]) AS ttfb_quantiles,
  max(ttfb_ms) AS ttfb_max
FROM named
GROUP BY key
ORDER BY exchanges DESC, key;
