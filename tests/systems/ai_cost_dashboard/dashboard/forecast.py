"""Forecasts of what a user will spend."""

from dashboard import database

LEAST_DAYS = 30


class TooLittle(Exception):
    """There are not enough records for a forecast."""


def health():
    """Return whether the forecasting package can be used."""
    try:
        import trendcast
    except ImportError as error:
        return {"status": "unhealthy", "package": "trendcast", "error": str(error)}
    return {"status": "healthy", "package": "trendcast", "version": trendcast.__version__, "least_days": LEAST_DAYS}


def generate(user, horizon):
    """Return the forecast for a user: one number per day."""
    import trendcast

    with database.cursor() as db:
        db.execute(
            "SELECT day, sum(cost_usd) AS cost FROM cost_records WHERE user_id = %s GROUP BY day ORDER BY day", (user,)
        )
        rows = db.fetchall()
    if len(rows) < LEAST_DAYS:
        raise TooLittle("insufficient data: %d days of cost records, %d are needed" % (len(rows), LEAST_DAYS))
    model = trendcast.CostForecaster().fit([float(row["cost"]) for row in rows])
    return model.predict(horizon)
