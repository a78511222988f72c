"""Writes report.md over the CSV files of the parts that have been measured."""

import statistics
import sys
from pathlib import Path

import background
import results
import rivals
from markdown import spread, table


def machine(folder):
    facts = [(row["what"], row["value"]) for row in results.read(folder, "machine")]
    runs = [list(row.values()) for row in results.read(folder, "runs")]
    return ("# testpool, measured\n\n" + table(["", ""], facts).replace("---:", "---")
            + "\nHow each part was measured; load: the load average when it began; source: git's name of src/.\n\n"
            + table(list(results.read(folder, "runs")[0]), runs).replace("---:", "---"))


def speed(rows):
    def case(row):
        return row["fsync"], row["protocol"], row["load"]

    lines = []
    for key in dict.fromkeys(map(case, rows)):
        group = [row for row in rows if case(row) == key]
        column = {name: [float(row[name]) for row in group]
                  for name in ("cycle_us", "cycle_p90_us", "update_us", "update_p90_us")}
        ratios = [c / u for c, u in zip(column["cycle_us"], column["update_us"])]
        lines.append(["fsync {}, {} protocol, {}".format(*key),
                      *(spread(numbers, "{:.0f}") for numbers in column.values()),
                      f"**{spread(ratios, '{:.1f}')}**"])
    return ("## Speed: acquire + release from a warm pool, against a one-row UPDATE\n\n"
            "Median and 90th percentile of a round in µs; of all rounds the median (least–largest). A cycle\n"
            "is two statements, the UPDATE one; both at random through one connection. Paced: 100 a second,\n"
            "as of a suite that uses what it acquires. Without a pause: the workers that make clean what was\n"
            "released compete for the processors.\n\n"
            + table(["", "cycle", "cycle, 90 %", "UPDATE", "UPDATE, 90 %", "cycle ÷ UPDATE"], lines))


def connect(rows):
    lines = []
    for fsync in dict.fromkeys(row["fsync"] for row in rows):
        column = {name: [float(row[name]) for row in rows if row["fsync"] == fsync]
                  for name in ("existing_us", "new_name_us", "new_name_p90_us", "leased_name_us")}

        def ratio(name):
            return spread([a / b for a, b in zip(column[name], column["existing_us"])])
        lines.append([f"fsync {fsync}", *(spread(numbers, "{:.0f}") for numbers in column.values()),
                      f"**{ratio('new_name_us')}**", ratio("leased_name_us")])
    return ("## Connecting to a name: from connecting to the first answer\n\n"
            "Median of a round in µs, interleaved; of all rounds the median (least–largest). A new name takes\n"
            "a clone from a warm pool.\n\n"
            + table(["", "existing database", "new name", "new name, 90 %", "leased name",
                     "new ÷ existing", "leased ÷ existing"], lines))


def door(rows):
    on, off = (sorted(int(row["instructions"]) for row in rows if row["connect"] == connect)
               for connect in ("on", "off"))
    lines = [[f"testpool.connect = {name}", *(f"{n:,.0f}" for n in (counts[0], statistics.median(counts), counts[-1]))]
             for name, counts in (("on", on), ("off", off))]
    return ("## Connecting to any other database: instructions of the server\n\n"
            f"Of one connection and one query, {len(on)} times each; the medians differ by "
            f"{100 * abs(statistics.median(on) / statistics.median(off) - 1):.3f} %.\n\n"
            + table(["", "least", "median", "largest"], lines))


def growth_table(rows):
    series = {}
    for row in rows:
        series.setdefault(row["measure"], []).append((int(row["cycles"]), int(row["value"])))
    counts = [cycles for cycles, _ in next(iter(series.values()))]
    shown = sorted({0, min(1, len(counts) - 1), len(counts) // 2, len(counts) - 1})
    head = ["after … cycles"] + [f"{counts[i]:,}" for i in shown]
    return table(head, [[name] + [f"{values[i][1]:,}" for i in shown]
                        for name, values in series.items() if len(values) == len(counts)])


def growth(rows):
    tables = [f"testpool.recycle = {recycle}\n\n"
              + growth_table([row for row in rows if row["recycle"] == recycle])
              for recycle in dict.fromkeys(row["recycle"] for row in rows)]
    return ("## Growth: over many cycles of acquire and release\n\n"
            "Two clients without a pause. With auto, what is released is rewound; with recreate, every\n"
            "cycle drops a database and makes another. Autovacuum has its default settings. All steps\n"
            "are in growth.csv.\n\n" + "\n".join(tables))


def wake(rows):
    def line(name, key):
        numbers = sorted(int(row[key]) / 1000 for row in rows)
        deciles = statistics.quantiles(numbers, n=10)
        return [name] + [f"{n:.2f}" for n in (numbers[0], statistics.median(numbers), deciles[-1],
                                              numbers[-1])]
    return ("## Wake-up: an acquire that waits for its clone\n\n"
            f"{len(rows)} waits, one after the other, with an empty pool; ms.\n\n"
            + table(["", "least", "median", "90 %", "largest"],
                    [line("asked → a worker begins", "asked_to_begun_us"),
                     line("the clone is made", "begun_to_ready_us"),
                     line("ready → leased", "ready_to_leased_us"),
                     line("**ready → the client has the answer**", "ready_to_answer_us")]))


def idle(rows):
    lines = [[row["process"], f"{float(row['cpu_ms']):.0f}", row["context_switches"],
              *(f"{int(row[key]) / 1024:.1f}" for key in ("own_kb", "shared_kb", "rss_kb"))]
             for row in rows]
    return (f"## Idle: {rows[0]['seconds']} s in which nobody asks for anything\n\n"
            "CPU time in ms (the kernel counts in steps of 10), memory in MB: the process's own, what of\n"
            "the server's shared memory it has touched, and RSS, which is both and the program.\n\n"
            + table(["process", "CPU", "context switches", "own", "shared", "RSS"], lines))


def scale(rows):
    lines = []
    for key in dict.fromkeys((row["what"], row["count"]) for row in rows):
        group = [row for row in rows if (row["what"], row["count"]) == key]
        column = {name: [float(row[name]) for row in group]
                  for name in ("cycle_us", "cycle_p99_us", "update_us", "launcher_us")}
        ratios = [c / u for c, u in zip(column["cycle_us"], column["update_us"])]
        lines.append([f"{int(key[1]):,} {key[0]}", *(spread(numbers, "{:.0f}") for numbers in column.values()),
                      f"**{spread(ratios, '{:.1f}')}**"])
    return ("## Scale: acquire + release, with ever more templates and leases\n\n"
            "Of a round the median and the 99th percentile in µs, and the launcher's time on a processor for each\n"
            "cycle; of all rounds the median (least–largest). Every template has a clone that is ready; the\n"
            "leases are of one template, beside all those. 100 transactions a second, cycles and one-row UPDATEs.\n\n"
            + table(["", "cycle", "cycle, 99 %", "UPDATE", "launcher", "cycle ÷ UPDATE"], lines))


CHAPTERS = {"speed": speed, "recycle": rivals.recycle, "room": rivals.room, "pages": rivals.pages,
            "reflink": rivals.reflink, "tax": rivals.tax, "live": rivals.live, "handout": rivals.handout,
            "stalls": background.stalls, "strategies": background.strategies, "connect": connect, "door": door,
            "growth": growth, "wake": wake, "idle": idle, "scale": scale}
BESIDE = {"reflink": ["reflink-room", "reflink-tax"]}  # what else a chapter tells of


def main(folder):
    parts = [machine(folder)]
    for name, chapter in CHAPTERS.items():
        if rows := results.read(folder, name):
            parts.append(chapter(rows, *(results.read(folder, other) for other in BESIDE.get(name, []))))
    report = "\n".join(parts)
    (Path(folder) / "report.md").write_text(report)
    print(report)


main(sys.argv[1])
