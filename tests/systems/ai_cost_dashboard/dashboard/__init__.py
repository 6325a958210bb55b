"""The AI cost dashboard: collects what AI providers charge, and forecasts it."""
