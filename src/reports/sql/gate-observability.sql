-- The ledger counted anew, to be held against METRICS.json: `since` and `session` of load.sql are those
-- of its "selection", each row is one of its "by"."lane", and the sum of all is its "total".
SELECT
  coalesce(lane, 'none') AS lane,
  count(*) AS exchanges,
  count(err_type) AS errors,
  count(*) FILTER (sse = 'complete') AS complete,
  count(sse) FILTER (sse <> 'complete') AS incomplete,
  count(*) FILTER (NOT intact) AS not_intact,
  coalesce(sum(input_tokens), 0) AS input_tokens,
  coalesce(sum(output_tokens), 0) AS output_tokens,
  coalesce(sum(bytes_up), 0) AS bytes_up,
  coalesce(sum(bytes_down), 0) AS bytes_down
FROM usage
GROUP BY ALL
ORDER BY lane;
