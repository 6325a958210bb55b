"""What tasks know of Sentry's web API.

Source: https://docs.sentry.io/api/ and the description in getsentry/sentry-api-schema.
"""
