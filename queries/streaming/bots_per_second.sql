-- Requests and bytes of bots per second by viewer address, edge location and distribution.
SELECT
  window_start AS `second`, address, location, `distribution`, COUNT(*) AS requests, SUM(sent) AS sent
FROM TABLE(TUMBLE(TABLE logs, DESCRIPTOR(event_time), INTERVAL '1' SECOND))
WHERE is_bot(user_agent)
GROUP BY window_start, window_end, address, location, `distribution`
