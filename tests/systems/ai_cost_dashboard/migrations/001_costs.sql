CREATE TABLE users (
    id text PRIMARY KEY,
    email text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE cost_records (
    id bigserial PRIMARY KEY,
    user_id text NOT NULL REFERENCES users (id),
    provider text NOT NULL,
    day date NOT NULL,
    cost_usd double precision NOT NULL,
    UNIQUE (user_id, provider, day)
);
CREATE TABLE job_runs (
    id bigserial PRIMARY KEY,
    job text NOT NULL,
    trigger text NOT NULL DEFAULT 'schedule',
    status text NOT NULL DEFAULT 'running',
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    records integer,
    error text
);
CREATE MATERIALIZED VIEW daily_costs AS
    SELECT day, provider, sum(cost_usd) AS cost_usd FROM cost_records GROUP BY day, provider;
