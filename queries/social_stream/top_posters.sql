-- The 50 users with the most distinct posts between two moments.
-- Parameters: first and last year and first and last hour of delivery, such as '2026' and '2026112205', and the
-- moments, such as '2026-11-22 05:30:00'. All times are UTC.
-- Panel: {"title": "Most active users", "place": 1, "parameters": "posts", "chart": "bars", "rank": true,
--   "bar": ["user_id", "posts"], "columns": {"user_id": "User", "posts": "Posts"}, "empty": "Nobody posted"}
SELECT user_id, count(DISTINCT tweet_id) AS posts
FROM twitterfeed
WHERE year BETWEEN ? AND ?
  AND year || month || day || hour BETWEEN ? AND ?
  AND approx_post_time >= CAST(? AS timestamp)
  AND approx_post_time < CAST(? AS timestamp)
GROUP BY user_id
ORDER BY posts DESC, user_id
LIMIT 50
