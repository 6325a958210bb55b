"""What must be true of a host that makes forecasts; read by testinfra, not by opslib."""


def test_modules_can_be_imported(host, variables, as_root):
    """Python finds and loads the forecasting packages."""
    python = f"{variables['forecast_venv']}/bin/python"
    for module in variables["forecast_modules"]:
        done = host.run("%s -I -B -c %s", python, f"import {module}")
        assert done.rc == 0, f"{module}: {done.stderr.strip().splitlines()[-1:]}"
