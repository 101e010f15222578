-- Requests and bytes per second by distribution and edge location.
SELECT window_start AS `second`, `distribution`, location, COUNT(*) AS requests, SUM(sent) AS sent
FROM TABLE(TUMBLE(TABLE logs, DESCRIPTOR(event_time), INTERVAL '1' SECOND))
GROUP BY window_start, window_end, `distribution`, location
