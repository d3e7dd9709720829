"""What a card shows: the report's sections, and a training's curve while it grows."""

from html import escape
from pathlib import Path

from metaflow import current
from metaflow.cards import Image, Markdown, VegaChart

from rasft import tables
from rasft.report.reporting import Section

TRAINING = "training"  # the card of a training step
# Each time a card is drawn, an interpreter is started for it: seconds of a core.
CURVE_SECONDS = 30  # between two drawings of a growing curve
FRAME = "width: 100%; height: 92vh; border: 0"
POINTS = 400  # of a curve, at most: the card is written again and again
SHOWN = {"nll": "NLL, nats a token", "loss": "loss", "grad_norm": "gradient norm"}


def show(sections: list[Section]) -> None:
    """Append each section's text and picture to the card of the running step."""
    for section in sections:
        current.card.append(Markdown(f"## {section.title}\n\n{section.text}"))
        if section.picture:
            current.card.append(Image(section.picture, label=section.title))


def show_page(page: str) -> None:
    """Put a page into the card of the running step, in a frame of its own."""
    # a line break would end the element
    source = escape(page).replace("\n", "&#10;")
    frame = f'<iframe sandbox="allow-scripts" style="{FRAME}" srcdoc="{source}"></iframe>'
    current.card.append(Markdown("## Look into the run"))
    current.card.append(Markdown(frame))


class LiveCurve:
    """The training's curve on the card of the running step, drawn again as it grows."""

    def __init__(self):
        self.chart = None

    def show(self, curve: Path) -> None:
        """Draw the curve of this file. A card that cannot be drawn ends no training."""
        try:
            self._draw(tables.read(curve).to_pylist())
        except Exception as error:  # the curve itself is stored as an artifact
            print(f"the card shows no curve: {error}", flush=True)

    def _draw(self, rows: list[dict]) -> None:
        spec = chart_of(rows)
        card = current.card[TRAINING]
        if self.chart:
            self.chart.update(spec)
        else:
            self.chart = VegaChart(spec)
            card.append(Markdown("## Training"))
            card.append(self.chart)
        card.refresh()


def chart_of(rows: list[dict]) -> dict:
    """A Vega-Lite chart: one panel a number, over the optimizer steps."""
    thinned = rows[:: -(-len(rows) // POINTS)]
    values = [{name: row[name] for name in ("step", *SHOWN)} for row in thinned]
    panels = [
        {
            "mark": "line",
            "width": 480,
            "height": 120,
            "encoding": {
                "x": {"field": "step", "type": "quantitative"},
                "y": {"field": name, "type": "quantitative", "title": title},
            },
        }
        for name, title in SHOWN.items()
    ]
    schema = "https://vega.github.io/schema/vega-lite/v5.json"
    return {"$schema": schema, "data": {"values": values}, "vconcat": panels}
