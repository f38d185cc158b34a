"""Make conf/monitoring/grafana anew."""

from pathlib import Path

from dashboards import data, lists, overview, services, streams

BOARDS = {board.__name__.split(".")[-1]: board.BOARD for board in (overview, streams, lists, data, services)}
FOLDER = Path(__file__).parents[1] / "conf/monitoring/grafana"


def main() -> None:
    """Write a file for each board."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, board in BOARDS.items():
        (FOLDER / f"{name}.json").write_text(board.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
