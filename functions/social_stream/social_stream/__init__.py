"""Posts on their way from a live feed, through Kinesis and DynamoDB, into a lake that knows the top ten."""
