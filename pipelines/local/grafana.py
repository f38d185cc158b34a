"""Grafana of this machine, on loopback, for a look at the dashboards: whoever comes may look, nobody may change anything.

Not a package of Debian: `grafana` or `grafana-server` on the PATH, as its own packages and archives install them.
"""

import shutil
from pathlib import Path

from pipelines.errors import ServerError
from pipelines.local.observers import answers, made_folder
from pipelines.local.processes import OwnedProcess, clear_the_way, free_port

GRAFANA = "grafana"
BINARIES = {"grafana": ["server"], "grafana-server": []}  # the older name needs no word
PACKAGED_HOME = Path("/usr/share/grafana")
START_SECONDS = 120.0
SETTINGS = {  # as Grafana reads them from the environment: GF_SECTION_KEY
    "GF_SERVER_HTTP_ADDR": "127.0.0.1",
    "GF_AUTH_ANONYMOUS_ENABLED": "true",
    "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
    "GF_AUTH_DISABLE_LOGIN_FORM": "true",
    "GF_USERS_ALLOW_SIGN_UP": "false",
    # It asks nobody outside, and tells nobody.
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED": "false",
    "GF_NEWS_NEWS_FEED_ENABLED": "false",
    "GF_PLUGINS_PREINSTALL_DISABLED": "true",
    "GF_PLUGINS_PLUGIN_ADMIN_ENABLED": "false",
    "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
}


def is_installed() -> bool:
    """Whether this machine has a Grafana."""
    return _binary() is not None


def start_grafana(
    home: Path, prometheus: str, dashboards: Path, provisioning: Path, scrape_seconds: float = 5.0
) -> OwnedProcess:
    """Show the files of `dashboards`, asking `prometheus` (host:port), as the files of `provisioning` say.

    Its own data lies in `home`/grafana. Raises ServerError where there is no Grafana, or it is not ready.
    """
    found = _binary()
    if found is None:
        raise ServerError(f"there is no Grafana on this machine: neither {' nor '.join(BINARIES)} is on the PATH")
    clear_the_way(GRAFANA, home)
    process = OwnedProcess(GRAFANA, home, free_port())
    environment = SETTINGS | {
        "GF_SERVER_HTTP_PORT": str(process.port),
        **{
            f"GF_PATHS_{name.upper()}": str(made_folder(home.resolve() / GRAFANA / name))
            for name in ("data", "logs", "plugins")
        },
        "GF_PATHS_PROVISIONING": str(provisioning.resolve()),
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(dashboards.resolve() / "overview.json"),
        "LIVESHELF_PROMETHEUS": f"http://{prometheus}",
        "LIVESHELF_DASHBOARDS": str(dashboards.resolve()),
        "LIVESHELF_SCRAPE_INTERVAL": f"{max(1, round(scrape_seconds))}s",
    }
    command = [
        "/usr/bin/env",
        *(f"{name}={value}" for name, value in environment.items()),
        str(found),
        *BINARIES[found.name],
    ]
    health = f"http://127.0.0.1:{process.port}/api/health"
    process.start([*command, "--homepath", str(_home_of(found))], lambda: answers(health), START_SECONDS)
    return process


def _binary() -> Path | None:
    paths = (shutil.which(name) for name in BINARIES)
    return next((Path(path) for path in paths if path), None)


def _home_of(binary: Path) -> Path:
    """Where its own files are: beside the binary of an archive, else where packages put them."""
    beside = binary.resolve().parent.parent
    return beside if (beside / "conf/defaults.ini").exists() else PACKAGED_HOME
