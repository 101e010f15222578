-- Bytes sent by distribution and edge location.
-- Parameters: first and last date of the requests, such as '2026-11-22'.
-- Panel: {"title": "Bytes by distribution and edge location", "place": 8, "parameters": "dates", "chart": "table",
--   "of": "all_rows",
--   "columns": {"distribution": "Distribution", "location": "Edge location", "totalbytes": "Bytes"}}
SELECT distribution, location, sum(bytes) AS totalbytes, count(*) OVER () AS all_rows
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
GROUP BY distribution, location
ORDER BY totalbytes DESC, distribution, location
