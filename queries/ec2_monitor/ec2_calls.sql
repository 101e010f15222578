-- How often each call was made, by time; those beyond the 30 most frequent (9 if slots are days) are `others`.
-- Parameters: how many characters of a time make a slot (15: ten minutes, 13: an hour, 10: a day), such as '13',
-- first and last hour of delivery, such as '2026/11/25/03', the moments since when and until when,
-- such as '2026-11-24T15:30:00Z', an actor and the name of a call, or 'all'. All times are UTC.
-- Panel: {"title": "Calls by name", "place": 1, "parameters": "calls_by_slot", "chart": "stacks",
--   "bar": ["event_name", "calls"], "time": "slot", "columns": {"event_name": "Call", "calls": "Calls"},
--   "empty": "Nobody called anything"}
WITH calls AS (
  SELECT characters, substr(event_time, 1, characters) AS slot, event_name, count(DISTINCT event_id) AS made
  FROM calls_delivered
  CROSS JOIN (VALUES 10, 13, 15) AS slots (characters) -- Athena takes parameters in WHERE alone
  WHERE characters = CAST(? AS integer)
    AND hour BETWEEN ? AND ?
    AND event_time >= ?
    AND event_time < ?
    AND ? IN ('all', actor)
    AND ? IN ('all', event_name)
  GROUP BY 1, 2, 3
),
ranked AS (
  SELECT event_name, row_number() OVER (ORDER BY sum(made) DESC, event_name) AS place
  FROM calls
  GROUP BY event_name
)
SELECT
  slot,
  CASE
    WHEN place <= CASE characters WHEN 10 THEN 9 ELSE 30 END THEN calls.event_name
    ELSE 'others'
  END AS event_name,
  sum(made) AS calls
FROM calls
JOIN ranked ON ranked.event_name = calls.event_name
GROUP BY 1, 2
ORDER BY 1, 2
