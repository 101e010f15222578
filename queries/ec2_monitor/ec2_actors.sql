-- The 20 actors with the most calls, how many of theirs were refused or failed, and when they made the last.
-- Parameters: first and last hour of delivery, such as '2026/11/25/03', the moments since when and
-- until when, such as '2026-11-24T15:30:00Z', an actor and the name of a call, or 'all'. All times are UTC.
-- Panel: {"title": "Top actors", "place": 2, "parameters": "calls", "chart": "bars",
--   "bar": ["actor", "calls"],
--   "columns": {"actor": "Actor", "actor_type": "Kind", "calls": "Calls", "failed": "Failed", "latest": "Last"},
--   "empty": "Nobody called anything"}
SELECT
  actor,
  actor_type,
  count(DISTINCT event_id) AS calls,
  count(DISTINCT CASE WHEN error_code IS NOT NULL THEN event_id END) AS failed,
  max(event_time) AS latest
FROM calls_delivered
WHERE hour BETWEEN ? AND ?
  AND event_time >= ?
  AND event_time < ?
  AND ? IN ('all', actor)
  AND ? IN ('all', event_name)
GROUP BY actor, actor_type
ORDER BY calls DESC, actor, actor_type
LIMIT 20
