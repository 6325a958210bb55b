"""What tasks gather when something is wrong: environment names, recent changes, tails of logs, bundles of them."""
