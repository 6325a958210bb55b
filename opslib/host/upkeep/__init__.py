"""What maintenance keeps and works out on a host: small files of its own, and trends."""
