"""``python -m deploy.monitoring.picture``: draws a dashboard from its JSON, with what a live Prometheus says.

This is codesieve's own drawing and not a screenshot: Grafana is not needed for it, and would look somewhat different. The
places of panels, titles, expressions, legends, units, stacking, bounds and right axes are those of the JSON that Grafana
reads; what the drawing doesn't know it leaves out (pointing at lines, links). All values of the variables are chosen.
"""

from __future__ import annotations

import datetime
import json
import time
from pathlib import Path

import click
from deploy.monitoring.drawing import CannotDraw, Drawing
from deploy.monitoring.looks import DARK, LIGHT
from deploy.monitoring.query import Prometheus, QueryFailed, Span, panels

POINTS = 240
"""On each line, as many as can be told apart."""


def draw(prometheus: Prometheus, dashboard: Path, out: Path, span: Span, *, light: bool = False) -> None:
    """Writes the picture. Raises `QueryFailed`, `CannotDraw`, or ValueError for a file that holds no dashboard."""
    board = json.loads(dashboard.read_text(encoding="utf-8"))
    drawing = Drawing(board, LIGHT if light else DARK, span)
    for panel in panels(board):
        queries = panel.get("targets", ())
        drawing.draw(panel, [(query, prometheus.over(span.fill(query["expr"]), span)) for query in queries])
    drawing.figure.savefig(out, dpi=110)


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        pass
    try:
        when = datetime.datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value} is no time; give 2026-11-24T20:00:00Z, or seconds since 1970") from None
    return (when if when.tzinfo else when.replace(tzinfo=datetime.UTC)).timestamp()


@click.command()
@click.option("--prometheus", "url", metavar="URL", default="http://127.0.0.1:9090", show_default=True)
@click.option(
    "--dashboard",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="One of deploy/monitoring/grafana/dashboards/*.json.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The PNG file to write.")
@click.option("--from", "start", callback=_seconds, help="UTC, or seconds since 1970. An hour before the end.")
@click.option("--to", "end", callback=_seconds, help="UTC, or seconds since 1970. Now.")
@click.option("--light", is_flag=True, help="On white, as for print.")
def main(url: str, dashboard: Path, out: Path, start: float | None, end: float | None, light: bool) -> None:
    """Draw a dashboard with what Prometheus at URL says. A drawing by codesieve, not a screenshot of Grafana."""
    until = time.time() if end is None else end
    since = until - 3600 if start is None else start
    if since >= until:
        raise click.BadParameter("--from has to be before --to")
    step = max((until - since) / POINTS, 1.0)
    try:
        draw(Prometheus(url), dashboard, out, Span(since, until, step), light=light)
    except (QueryFailed, CannotDraw) as error:
        raise click.ClickException(str(error)) from error
    except (ValueError, KeyError) as error:
        raise click.ClickException(f"{dashboard} is no dashboard: {error}") from error
    except OSError as error:
        raise click.ClickException(f"{out} can't be written: {error.strerror}") from error
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
