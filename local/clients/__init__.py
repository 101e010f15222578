"""Who uses the suite, as programs: people, companies' servers, browsers, whoever is on call."""
