"""Jobs that run at set times: when they are due, and whether they ran."""
