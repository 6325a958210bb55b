"""What tasks know of systemd: units, their faults, the plan for one, watching it, control groups."""
