-- Requests of bots by viewer address and edge location, most first.
-- Parameters: first and last date of the requests, such as '2026-11-22'.
-- Panel: {"title": "Bots by viewer and edge location", "place": 7, "parameters": "dates", "chart": "table",
--   "of": "all_rows", "columns": {"requestip": "Viewer", "location": "Edge location", "ct": "Requests"}}
SELECT count(*) AS ct, requestip, location, count(*) OVER () AS all_rows
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND isbot = 'True'
GROUP BY requestip, location
ORDER BY ct DESC, requestip, location
