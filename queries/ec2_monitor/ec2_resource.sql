-- Everything that was done to a resource, the latest first.
-- Parameters: first and last hour of delivery, such as '2026/11/25/03', the resource, such as 'sg-0123456789abcdef0'.
SELECT DISTINCT event_time, event_name, actor, source_address, error_code, request_json, event_id
FROM calls_delivered
WHERE hour BETWEEN ? AND ?
  AND contains(resources, ?)
ORDER BY event_time DESC, event_id
LIMIT 500
