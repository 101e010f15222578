-- Bytes sent and requests by distribution.
-- Parameters: first and last date of the requests, such as '2026-11-22'.
-- Panel: {"title": "Bytes by distribution", "place": 2, "parameters": "dates", "chart": "bars",
--   "bar": ["distribution", "totalbytes"],
--   "columns": {"distribution": "Distribution", "ct": "Requests", "totalbytes": "Bytes"}}
SELECT distribution, count(*) AS ct, sum(bytes) AS totalbytes
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
GROUP BY distribution
ORDER BY totalbytes DESC, distribution
