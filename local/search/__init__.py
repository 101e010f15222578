"""What stands in the place of an OpenSearch domain: a real search server, and a proxy before it."""
