-- Where the exchanges of a session went, and whether each took the lane that its model belongs to.
--
--   SET VARIABLE until = NULL;     -- Unix seconds, or NULL; `since` of load.sql is the session's start
--   SET VARIABLE apart = NULL;     -- a list of sessions whose drill moved Haiku by a switch, or NULL
--
-- Every record counts. Haiku, by the model asked for, belongs on zai; whatever else there is belongs on
-- anthropic: other models, requests without a model that can be read, paths that are not routed
-- (passthrough). A Haiku exchange that was sent elsewhere since routing was paused is a wrong one: the
-- gate says what happened, not what was meant. Two kinds are counted apart: a count_tokens that fell back
-- to anthropic, since the other upstream has no such call (fallback), and drills that switch forcing off
-- and on, which judge each exchange by the switch (apart).
WITH judged AS (
  SELECT
    *,
    CASE
      WHEN list_contains(getvariable('apart'), session) THEN 'apart'
      WHEN decision = 'fallback' AND path = '/v1/messages/count_tokens' THEN 'fallback'
      WHEN lower(model) LIKE '%haiku%' THEN 'haiku'
      ELSE 'other'
    END AS kind
  FROM usage
  WHERE ts <= coalesce(getvariable('until'), 'inf'::DOUBLE)
)
SELECT
  kind,
  coalesce(lane, 'none') AS lane,
  coalesce(upstream, 'none') AS upstream,
  coalesce(decision, 'none') AS decision,
  CASE kind
    WHEN 'apart' THEN true
    WHEN 'haiku' THEN coalesce(lane = 'zai' AND upstream = 'zai', false)
    ELSE coalesce(lane = 'anthropic' AND upstream = 'anth', false)
  END AS is_right,
  count(*) AS exchanges,
  arg_min(rid, ts, 5) AS rids
FROM judged
GROUP BY ALL
ORDER BY exchanges DESC, kind, lane, upstream, decision;
