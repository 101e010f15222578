-- Requests of bots and their viewers by edge location, most first.
-- Parameters: first and last date of the requests, such as '2026-11-22'.
-- Panel: {"title": "Bots by edge location", "place": 1, "parameters": "dates", "chart": "bars",
--   "bar": ["location", "ct"], "columns": {"location": "Edge location", "ct": "Requests", "viewers": "Viewers"}}
SELECT location, count(*) AS ct, count(DISTINCT requestip) AS viewers
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND isbot = 'True'
GROUP BY location
ORDER BY ct DESC, location
