"""Services that run a container image behind a public address: AWS App Runner, and ECS Express Mode."""
