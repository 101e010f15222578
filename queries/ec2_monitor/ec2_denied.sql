-- Calls that were denied, and sign-ins that failed: who, what, how often, and when the last, the 50 most frequent.
-- Parameters: first and last hour of delivery, such as '2026/11/25/03', the moments since when and
-- until when, such as '2026-11-24T15:30:00Z', an actor and the name of a call, or 'all'. All times are UTC.
-- Panel: {"title": "Denied calls and failed sign-ins", "place": 3, "parameters": "calls", "chart": "table",
--   "columns": {"actor": "Actor", "event_name": "Call", "calls": "Times", "latest": "Last", "error": "Error"},
--   "empty": "Nothing was denied"}
SELECT
  actor,
  event_name,
  coalesce(error_code, error_message) AS error,
  count(DISTINCT event_id) AS calls,
  max(event_time) AS latest
FROM calls_delivered
WHERE hour BETWEEN ? AND ?
  AND event_time >= ?
  AND event_time < ?
  AND ? IN ('all', actor)
  AND ? IN ('all', event_name)
  AND (
    regexp_like(error_code, 'Unauthorized|AccessDenied|AuthFailure|Forbidden')
    OR (event_name = 'ConsoleLogin' AND error_message IS NOT NULL)
  )
GROUP BY 1, 2, 3
ORDER BY calls DESC, actor, event_name, error
LIMIT 50
