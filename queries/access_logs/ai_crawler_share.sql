-- Requests and their share by kind of bot: `ai` for AI crawlers, `-` for people.
-- Parameters: first and last date of the requests, such as '2026-11-22'.
-- Panel: {"title": "AI crawlers and other bots", "place": 6, "parameters": "dates", "chart": "bars",
--   "bar": ["botcategory", "share"], "columns": {"botcategory": "Kind", "ct": "Requests", "share": "Share"}}
SELECT botcategory, count(*) AS ct, CAST(count(*) AS double) / sum(count(*)) OVER () AS share
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
GROUP BY botcategory
ORDER BY ct DESC, botcategory
