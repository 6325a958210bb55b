"""What tasks know of packages: apt's and pip's, their locks, and what is due after an upgrade."""
