-- How often each call was made, by time.
-- Parameters: how many characters of a time make a slot (15: ten minutes, 13: an hour, 10: a day), such as '13';
-- first and last hour of delivery, such as '2026/11/25/03'; the moment since when, such as '2026-11-24T15:30:00Z'.
-- All times are UTC.
SELECT substr(event_time, 1, CAST(? AS integer)) AS slot, event_name, count(DISTINCT event_id) AS calls
FROM calls_delivered
WHERE hour BETWEEN ? AND ?
  AND event_time >= ?
GROUP BY 1, 2
ORDER BY 1, 2
