DROP MATERIALIZED VIEW daily_costs;
DROP TABLE job_runs, cost_records, users;
