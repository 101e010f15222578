-- The 50 viewers with the most requests.
-- Parameters: first and last date of the requests, such as '2026-11-22'.
-- Panel: {"title": "Top 50 viewers", "place": 5, "parameters": "dates", "chart": "bars",
--   "bar": ["requestip", "ct"], "columns": {"requestip": "Viewer", "ct": "Requests"}}
SELECT requestip, count(*) AS ct
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
GROUP BY requestip
ORDER BY ct DESC, requestip
LIMIT 50
