"""One account per person for every company of a group: accounts, tokens, single sign-on."""
