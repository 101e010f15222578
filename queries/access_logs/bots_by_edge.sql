-- Requests of bots and their viewers by edge location, most first.
-- Parameters: docs/access_logs.md, "Queries".
-- Panel: {"title": "Bots by edge location", "place": 1, "parameters": "requests", "chart": "bars",
--   "bar": ["location", "ct"], "columns": {"location": "Edge location", "ct": "Requests", "viewers": "Viewers"}}
SELECT location, count(*) AS ct, count(DISTINCT requestip) AS viewers
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
  AND isbot = 'True'
GROUP BY location
ORDER BY ct DESC, location
