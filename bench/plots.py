"""Draws the plots of the report, as SVG, with matplotlib."""

import statistics
import sys
from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter

import server
from markdown import column, distinct
from rivals import REWIND, SHARED

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.hashsalt": "testpool", "svg.fonttype": "none", "font.family": "sans-serif",
                        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
                        "grid.alpha": 0.3, "figure.figsize": (8, 4.5), "lines.markersize": 4}
COLORS = {REWIND: "#0072b2", "rewind": "#0072b2", SHARED: "#999999", "testpool, recreate": "#56b4e9",
          "rollback (not isolated)": "#bbbbbb", "DELETE from the dirty table": "#009e73",
          "TRUNCATE of all tables": "#cc79a7", "CREATE + DROP, WAL_LOG": "#d55e00", "WAL_LOG": "#d55e00",
          "CREATE + DROP, FILE_COPY": "#e69f00", "FILE_COPY": "#e69f00"}
LABELS = {"rewind": "testpool, rewind", "WAL_LOG": "DROP + CREATE, WAL_LOG",
          "FILE_COPY": "DROP + CREATE, FILE_COPY"}


def median_ms(numbers):
    return statistics.median(numbers) / 1000


class Plot:
    def __init__(self, title, x, y, log="xy"):
        self.figure, self.axes = pyplot.subplots(layout="constrained")
        self.axes.set(xlabel=x, ylabel=y)
        self.figure.suptitle(title, fontsize="medium", x=0.01, horizontalalignment="left")
        for axis, name in ((self.axes.xaxis, "x"), (self.axes.yaxis, "y")):
            if name in log:
                getattr(self.axes, f"set_{name}scale")("log")
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))

    def line(self, name, points, marker="o", **style):
        self.axes.plot(*zip(*points), marker=marker, color=COLORS[name], label=LABELS.get(name, name),
                       linewidth=2.5 if "rewind" in name else 1.3, **style)

    def save(self, path):
        self.axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        self.figure.savefig(path, metadata={"Date": None})
        pyplot.close(self.figure)


def recycle(rows, path):
    plot = Plot("After 20 inserts, 10 updates, 1 delete: how long until the database is new again",
                "template, MB", "ms")
    rows = [row for row in rows if row["fsync"] == "off"]
    sizes = sorted({int(row["megabytes"]) for row in rows})
    for way in ("FILE_COPY", "WAL_LOG", "rewind"):
        plot.line(way, [(size, median_ms(found)) for size in sizes if (found := column(
            rows, "wall_us", contestant=way, test="20 rows", megabytes=str(size)))])
    plot.axes.set_ylim(bottom=0.1)
    plot.save(path)


def pages(rows, path):
    plot = Plot("How long until a used database of 155 MB is new again", "pages that the test changed", "ms")
    changed = [what for (what,) in distinct(rows, "changed")]
    at = {what: statistics.median(column(rows, "pages", changed=what)) for what in changed}
    for way in ("FILE_COPY", "WAL_LOG", "rewind"):
        plot.line(way, [(at[what], median_ms(column(rows, "wall_us", contestant=way, changed=what)))
                        for what in changed])
    plot.axes.set_ylim(bottom=0.1)
    plot.save(path)


def tax(rows, path):
    plot = Plot("A database for every test: tests per second", "clients", "tests per second")
    rows = [row for row in rows if row["fsync"] == "off"]
    counts = [clients for (clients,) in distinct(rows, "clients")]
    for (contestant,) in distinct(rows, "contestant"):
        plot.line(contestant, [(int(clients), statistics.median(column(
            rows, "tests_per_second", contestant=contestant, clients=clients))) for clients in counts])
    plot.axes.set_xticks([int(clients) for clients in counts])
    plot.axes.minorticks_off()
    plot.save(path)


def overtime(rows, path):
    """In every fifth of a second the slowest test, and the median as a thin line."""
    plot = Plot("Every test of a long run: the slowest in each fifth of a second", "seconds", "ms", log="y")
    for (contestant,) in distinct(rows, "contestant"):
        slots = {}
        for row in rows:
            if row["contestant"] == contestant:
                slots.setdefault(int(row["began_us"]) // 200_000, []).append(int(row["test_us"]))
        plot.line(contestant, [(slot / 5, max(found) / 1000) for slot, found in sorted(slots.items())], marker="")
    plot.save(path)


def main(results):
    for name, draw in (("recycle", recycle), ("pages", pages), ("tax", tax), ("overtime", overtime)):
        if rows := server.read(results, name):
            draw(rows, Path(results) / f"{name}.svg")


main(sys.argv[1])
