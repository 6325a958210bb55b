"""What tasks know of the running system: processes, listening sockets, work set apart in a child."""
