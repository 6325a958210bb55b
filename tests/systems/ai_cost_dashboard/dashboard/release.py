"""What differs from release to release."""

VERSION = "1.0.0"
REQUIRED = ("DATABASE_URL", "ANTHROPIC_API_KEY")
FAULTS = ""
