"""The API of the page `insights/`: live results, saved queries and metrics of every application."""
