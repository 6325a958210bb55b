-- What the sample service has collected until today. alice, and 50 others: 60 days without a fault; bob: too few days;
-- carol: a value that is no number; dave: days without records; erin: an infinite value.
TRUNCATE users, cost_records, job_runs RESTART IDENTITY CASCADE;
INSERT INTO users (id, email) SELECT name, name || '@example.com'
    FROM unnest(ARRAY['alice', 'bob', 'carol', 'dave', 'erin']) AS name;
INSERT INTO users (id, email) SELECT 'user' || n, 'user' || n || '@example.com' FROM generate_series(1, 50) AS n;
INSERT INTO cost_records (user_id, provider, day, cost_usd)
    SELECT users.id, provider, current_date - back, round((5 + 0.05 * (60 - back) + (back * 7 + length(provider)) % 5)::numeric, 2)
    FROM users, unnest(ARRAY['anthropic', 'openai']) AS provider, generate_series(0, 59) AS back
    WHERE users.id <> 'bob' OR back < 12;
UPDATE cost_records SET cost_usd = 'NaN' WHERE user_id = 'carol' AND provider = 'openai' AND day = current_date - 7;
UPDATE cost_records SET cost_usd = 'Infinity' WHERE user_id = 'erin' AND provider = 'openai' AND day = current_date - 9;
DELETE FROM cost_records WHERE user_id = 'dave' AND day BETWEEN current_date - 21 AND current_date - 19;
INSERT INTO job_runs (job, started_at, finished_at, status, records)
    SELECT 'anthropic_collection', at, at + interval '2 seconds', 'succeeded', 55
    FROM generate_series(0, 19) AS n, LATERAL (SELECT date_bin('15 minutes', now(), '2000-01-01Z') - n * interval '15 minutes' AS at) AS run;
INSERT INTO job_runs (job, started_at, finished_at, status, records)
    SELECT 'openai_collection', at, at + interval '3 seconds', 'succeeded', 55
    FROM generate_series(0, 5) AS n, LATERAL (SELECT date_bin('1 hour', now(), '2000-01-01 00:05Z') - n * interval '1 hour' AS at) AS run;
INSERT INTO job_runs (job, started_at, finished_at, status, records)
    SELECT 'aggregate_refresh', at, at + interval '1 second', 'succeeded', 1
    FROM generate_series(0, 2) AS n, LATERAL (SELECT date_bin('1 day', now(), '2000-01-01 02:30Z') - n * interval '1 day' AS at) AS run;
INSERT INTO job_runs (job, started_at, finished_at, status, records)
    SELECT 'forecast_training', at, at + interval '9 seconds', 'succeeded', 55
    FROM (SELECT date_bin('7 days', now(), '2000-01-02 03:00Z') AS at) AS run;
REFRESH MATERIALIZED VIEW daily_costs;
ANALYZE;
