"""Grafana is started as its documentation says, by a stand-in that remembers how: the real one is no package of Debian.

What it is given (settings, provisioning) is held against that documentation: administration/provisioning, setup/configure.
"""

import json
import stat
import sys
from pathlib import Path

import pytest
import requests
import yaml

from dashboards.__main__ import BOARDS, FOLDER
from pipelines.errors import ServerError
from pipelines.local import grafana
from pipelines.local.grafana import is_installed, start_grafana

PROVISIONING = Path(__file__).parents[2] / "conf/monitoring/grafana-provisioning"
STAND_IN = """#!{python}
import http.server, json, os, pathlib, sys
pathlib.Path({told!r}).write_text(json.dumps({{"arguments": sys.argv[1:], "environment": dict(os.environ)}}))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

http.server.HTTPServer((os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"])), Handler).serve_forever()
"""
# of each file: the keys that the documentation has
DATASOURCE = {"name", "uid", "type", "access", "url", "isDefault", "editable", "jsonData", "orgId", "version"}
PROVIDER = {
    "name",
    "orgId",
    "folder",
    "folderUid",
    "type",
    "disableDeletion",
    "updateIntervalSeconds",
    "allowUiUpdates",
}
PROVIDER |= {"options"}


def install(tmp_path, monkeypatch, name: str, home: str = "") -> Path:
    """Put the stand-in on the PATH under this name; gives the file in which it says how it was started."""
    told, binary = tmp_path / "told.json", tmp_path / home / "bin" / name
    binary.parent.mkdir(parents=True)
    binary.write_text(STAND_IN.format(python=sys.executable, told=str(told)))
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{binary.parent}:/usr/bin:/bin")
    return told


@pytest.mark.parametrize(("name", "words"), [("grafana", ["server"]), ("grafana-server", [])])
def test_it_listens_on_loopback_and_lets_people_look_only(tmp_path, monkeypatch, name, words):
    told = install(tmp_path, monkeypatch, name)
    assert is_installed()

    server = start_grafana(tmp_path / "home", "127.0.0.1:9090", FOLDER, PROVISIONING, scrape_seconds=5.0)
    try:
        assert requests.get(f"http://127.0.0.1:{server.port}/api/health", timeout=5).ok
    finally:
        server.stop()

    said = json.loads(told.read_text())
    environment = said["environment"]
    assert said["arguments"] == [*words, "--homepath", "/usr/share/grafana"]
    assert environment["GF_SERVER_HTTP_ADDR"] == "127.0.0.1" and environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    for asked_nobody in ("ANALYTICS_REPORTING_ENABLED", "ANALYTICS_CHECK_FOR_UPDATES", "NEWS_NEWS_FEED_ENABLED"):
        assert environment[f"GF_{asked_nobody}"] == "false"
    assert environment["GF_PATHS_PROVISIONING"] == str(PROVISIONING)
    assert environment["GF_PATHS_DATA"] == str(tmp_path / "home/grafana/data")
    assert environment["LIVESHELF_PROMETHEUS"] == "http://127.0.0.1:9090"


def test_that_of_an_archive_finds_its_own_files(tmp_path, monkeypatch):
    told = install(tmp_path, monkeypatch, "grafana", home="grafana-v12")
    (tmp_path / "grafana-v12/conf").mkdir()
    (tmp_path / "grafana-v12/conf/defaults.ini").touch()

    start_grafana(tmp_path / "home", "127.0.0.1:9090", FOLDER, PROVISIONING).stop()

    assert json.loads(told.read_text())["arguments"] == ["server", "--homepath", str(tmp_path / "grafana-v12")]


def test_where_there_is_none_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert not is_installed()
    with pytest.raises(ServerError, match="neither grafana nor grafana-server is on the PATH"):
        start_grafana(tmp_path, "127.0.0.1:9090", FOLDER, PROVISIONING)


def provisioned(kind: str, told: dict[str, str]) -> dict:
    """A file of provisioning as Grafana reads it: `$NAME` in a value is the environment's."""
    (file,) = (PROVISIONING / kind).iterdir()
    text = file.read_text(encoding="utf-8")
    for name, value in told.items():
        text = text.replace(f"${name}", value)
    return yaml.safe_load(text)


def test_the_source_is_the_prometheus_that_was_started():
    told = {"LIVESHELF_PROMETHEUS": "http://127.0.0.1:9090", "LIVESHELF_SCRAPE_INTERVAL": "5s"}

    found = provisioned("datasources", told)
    (source,) = found["datasources"]

    assert found["apiVersion"] == 1 and source.keys() <= DATASOURCE
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://127.0.0.1:9090", True)
    assert source["jsonData"]["timeInterval"] == "5s"


def test_the_dashboards_are_all_of_ours_and_choose_that_source():
    found = provisioned("dashboards", {"LIVESHELF_DASHBOARDS": str(FOLDER)})
    (provider,) = found["providers"]

    assert found["apiVersion"] == 1 and provider.keys() <= PROVIDER
    files = list(Path(provider["options"]["path"]).glob("*.json"))
    assert {file.stem for file in files} == {*BOARDS} and "overview" in BOARDS
    for file in files:
        (variable,) = json.loads(file.read_text(encoding="utf-8"))["templating"]["list"]
        assert (variable["type"], variable["query"]) == ("datasource", "prometheus")


def test_every_variable_of_the_files_is_given():
    asked = {word for file in PROVISIONING.rglob("*.yml") for word in file.read_text().split() if word.startswith("$")}

    assert asked and all(f'"{name.removeprefix("$")}": ' in Path(grafana.__file__).read_text() for name in asked)
