"""Draws the plots of the report, as SVG, with matplotlib. Beside each other: fsync off and on."""

import sys
from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter

import results
from contestants import INTEGRESQL, RECREATE, REWIND, ROLLBACK, SHARED
from markdown import column, distinct, median
from rivals import TESTS

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.hashsalt": "testpool", "svg.fonttype": "none", "font.family": "sans-serif",
                        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
                        "axes.titlesize": "small", "grid.alpha": 0.3, "lines.markersize": 4}
COLORS = {REWIND: "#0072b2", "rewind": "#0072b2", SHARED: "#999999", RECREATE: "#56b4e9", ROLLBACK: "#bbbbbb",
          "DELETE from the dirty table": "#009e73", "TRUNCATE of all tables": "#cc79a7", INTEGRESQL: "#000000",
          "CREATE + DROP, WAL_LOG": "#d55e00", "WAL_LOG": "#d55e00", "CREATE + DROP, FILE_COPY": "#e69f00",
          "FILE_COPY": "#e69f00"}
LABELS = {"rewind": "testpool, rewind", "WAL_LOG": "DROP + CREATE, WAL_LOG",
          "FILE_COPY": "DROP + CREATE, FILE_COPY"}
WAYS = ("FILE_COPY", "WAL_LOG", "rewind")
PLAIN = "20 rows"


class Plot:
    """Panels beside each other, with one legend."""

    def __init__(self, title, panels, x, y, log="xy"):
        self.figure, axes = pyplot.subplots(1, len(panels), sharex=True, sharey=True, layout="constrained", squeeze=False,
                                            figsize=(4 + 4 * len(panels), 4.5))
        self.axes = dict(zip(panels, axes[0]))
        self.figure.suptitle(title, fontsize="medium", x=0.01, horizontalalignment="left")
        for panel, axis in self.axes.items():
            axis.set(xlabel=x, title=panel if len(panels) > 1 else "")
            for scale, name in ((axis.xaxis, "x"), (axis.yaxis, "y")):
                if name in log:
                    getattr(axis, f"set_{name}scale")("log")
                    scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes[0][0].set_ylabel(y)

    def line(self, panel, name, points, marker="o", **style):
        points = [(x, y) for x, y in points if y == y]  # not a number: not measured
        if points:
            self.axes[panel].plot(*zip(*points), marker=marker, color=COLORS[name], label=LABELS.get(name, name),
                                  linewidth=2.5 if "rewind" in name else 1.3, **style)

    def bars(self, panel, groups, names, height):
        """A bar for each name in each group, so high."""
        width = 0.85 / len(names)
        for i, name in enumerate(names):
            self.axes[panel].bar([g + i * width for g in range(len(groups))], [height(group, name) for group in groups],
                                 width, color=COLORS[name], label=name)
        self.axes[panel].set_xticks([g + 0.42 - width / 2 for g in range(len(groups))], groups)
        self.axes[panel].grid(axis="x", visible=False)

    def save(self, path):
        found = {}
        for axis in self.axes.values():
            found |= {label: handle for handle, label in zip(*axis.get_legend_handles_labels())}
        list(self.axes.values())[-1].legend(found.values(), found.keys(), frameon=False, fontsize="small",
                                            loc="center left", bbox_to_anchor=(1, 0.5))
        self.figure.savefig(path, metadata={"Date": None})
        pyplot.close(self.figure)


def panels(rows):
    return [f"fsync {fsync}" for (fsync,) in distinct(rows, "fsync")]


def by_fsync(rows):
    for (fsync,) in distinct(rows, "fsync"):
        yield f"fsync {fsync}", [row for row in rows if row["fsync"] == fsync]


def names_in(rows):
    return [name for (name,) in distinct(rows, "contestant")]


def recycle(rows, path):
    plot = Plot("After 20 inserts, 10 updates, 1 delete: how long until the database is new again", panels(rows),
                "template, MB", "ms")
    for panel, found in by_fsync(rows):
        sizes = sorted({int(row["megabytes"]) for row in found})
        for way in WAYS:
            plot.line(panel, way, [(size, median(column(found, "wall_us", contestant=way,
                                                        megabytes=str(size))) / 1000) for size in sizes])
    plot.save(path)


def pages(rows, path):
    plot = Plot("How long until a used database of 155 MB is new again", panels(rows), "pages that the test changed", "ms")
    for panel, found in by_fsync(rows):
        changed = [what for (what,) in distinct(found, "changed")]
        for way in WAYS:
            plot.line(panel, way, [(median(column(found, "pages", changed=what)),
                                    median(column(found, "wall_us", contestant=way, changed=what)) / 1000)
                                   for what in changed])
    plot.save(path)


def rates(rows, **of):
    return median(column(rows, "tests_per_second", **of))


def tax(rows, path):
    plot = Plot("A database for every test: tests per second", panels(rows), "clients", "tests per second")
    for panel, found in by_fsync(rows):
        counts = sorted({int(row["clients"]) for row in found})
        for name in names_in(found):
            plot.line(panel, name, [(count, rates(found, contestant=name, clients=str(count))) for count in counts])
        plot.axes[panel].set_xticks(counts, map(str, counts))
        plot.axes[panel].minorticks_off()
    plot.save(path)


def tests(rows, path):
    plot = Plot("Two clients, five kinds of test: tests per second", panels(rows), "what the test does",
                "tests per second", log="y")
    for panel, found in by_fsync(rows):
        groups = {TESTS[test]: test for (test,) in distinct(found, "test")}
        plot.bars(panel, list(groups), names_in(found), lambda shown, name: rates(
            found, contestant=name, test=groups[shown]))
    plot.save(path)


def template_sizes(rows, path):
    plot = Plot("One client, larger templates: tests per second", panels(rows), "template", "tests per second", log="y")
    for panel, found in by_fsync(rows):
        groups = [template for (template,) in distinct(found, "template")]
        for name in names_in(found):
            plot.line(panel, name, [(group, rates(found, contestant=name, template=group)) for group in groups])
    plot.save(path)


def cost(rows, path):
    figures = {"CPU, ms": ("cpu_ms", 1), "WAL, kB": ("wal_bytes", 1024), "files written, kB": ("written_bytes", 1024)}
    plot = Plot("What a test of 20 rows costs: two clients, 11 MB, fsync off", list(figures), "", "", log="y")
    for panel, (figure, unit) in figures.items():
        plot.bars(panel, [""], names_in(rows), lambda _, name: median(
            column(rows, f"{figure}_per_test", contestant=name)) / unit)
    plot.save(path)


def handout(rows, path):
    plot = Plot("From asking for a database to the first answer in it", panels(rows),
                "percentile", "ms")
    for panel, found in by_fsync(rows):
        for name in names_in(found):
            plot.line(panel, name, [(share, median(column(found, key, contestant=name)) / 1000) for share, key in
                                    ((500, "p50_us"), (50, "p95_us"), (10, "p99_us"), (1, "p99.9_us"))])
        plot.axes[panel].set_xticks([500, 50, 10, 1], ["p50", "p95", "p99", "p99.9"])
        plot.axes[panel].minorticks_off()
    plot.axes[panel].invert_xaxis()  # that of all panels
    plot.save(path)


def overtime(rows, path):
    plot = Plot("Every test of a long run: the slowest in each fifth of a second", panels(rows), "seconds", "ms", log="y")
    for panel, found in by_fsync(rows):
        for name in names_in(found):
            plot.line(panel, name, [(float(row["seconds"]), int(row["slowest_us"]) / 1000) for row in found
                                    if row["contestant"] == name], marker="")
    plot.save(path)


def small(row):
    return row["template"] == "11 MB"


# Of each plot: the part, the rows of it that it shows, and what draws it.
DRAWN = {
    "recycle": ("recycle", lambda row: row["test"] == PLAIN, recycle),
    "pages": ("pages", lambda row: True, pages),
    "tax": ("tax", lambda row: small(row) and row["test"] == PLAIN, tax),
    "tests": ("tax", lambda row: small(row) and row["clients"] == "2", tests),
    "templates": ("tax", lambda row: row["clients"] == "1", template_sizes),
    "cost": ("tax", lambda row: small(row) and (row["fsync"], row["test"], row["clients"]) == ("off", PLAIN, "2"), cost),
    "handout": ("handout", lambda row: row["figure"] == "first answer", handout),
    "overtime": ("overtime", lambda row: True, overtime)}


def main(folder):
    for name, (part, shown, draw) in DRAWN.items():
        if rows := [row for row in results.read(folder, part) if shown(row)]:
            draw(rows, Path(folder) / f"{name}.svg")


main(sys.argv[1])
