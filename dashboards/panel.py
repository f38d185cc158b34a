"""A panel as we write it down, and as Grafana has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Literal

from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as StatPanel
from grafana_foundation_sdk.builders.timeseries import Panel as TimePanel
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

Unit = Literal["short", "s", "bytes", "percentunit", "ops", "none", "dateTimeFromNow"]
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
HEIGHT, WIDE, NARROW = 8, 12, 6


@dataclass(frozen=True)
class Panel:
    """What a panel shows. `queries`: legend → PromQL; `{{label}}` in a legend is the label's value."""

    title: str
    about: str  # what it means, and when to worry
    queries: Mapping[str, str]
    unit: Unit = "short"
    is_now: bool = False  # the newest value as a number, not a curve

    def build(self) -> StatPanel | TimePanel:
        """The builder of Grafana's SDK."""
        panel = StatPanel() if self.is_now else TimePanel().min(0)
        panel.title(self.title).description(self.about).unit(self.unit).datasource(SOURCE)
        panel.height(HEIGHT if not self.is_now else HEIGHT // 2).span(NARROW if self.is_now else WIDE)
        for ref_id, (legend, expr) in zip(ascii_uppercase, self.queries.items(), strict=False):
            panel.with_target(Dataquery().expr(expr).legend_format(legend).ref_id(ref_id))
        return panel


@dataclass(frozen=True)
class Board:
    """A dashboard: rows of panels under a title each."""

    uid: str
    title: str
    rows: Mapping[str, Sequence[Panel]]

    @property
    def panels(self) -> list[Panel]:
        return [panel for panels in self.rows.values() for panel in panels]

    def to_json(self) -> str:
        """As Grafana imports it."""
        board = Dashboard(f"Liveshelf: {self.title}").uid(self.uid).tags(["liveshelf"]).readonly()
        board.time("now-6h", "now").refresh("30s").timezone("browser")
        board.with_variable(DatasourceVariable("source").label("Prometheus").type("prometheus"))
        for title, panels in self.rows.items():
            board.with_row(Row(title))
            for panel in panels:
                board.with_panel(panel.build())
        return str(JSONEncoder(sort_keys=True, indent=2).encode(board.build())) + "\n"
