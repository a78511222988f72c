"""The report's chapters on what goes on behind a test: how copies are made, and what others notice of it."""

from markdown import column, distinct, ms, ms_spread, table, times


def strategies(rows):
    ways = [way for (way,) in distinct(rows, "way")]
    lines = []
    for case in distinct(rows, "postgresql", "file_system", "fsync", "template"):
        of = dict(zip(("postgresql", "file_system", "fsync", "template"), case))
        took = [[1000 * number for number in column(rows, "create_ms", way=way, **of)] for way in ways]
        [(chosen,)] = distinct([row for row in rows if of.items() <= row.items()], "auto")
        lines.append(["PostgreSQL {}, {}, fsync {}, {}".format(*case),
                      *(ms_spread(numbers) if numbers else "" for numbers in took), chosen])
    return ("## Strategies: how long one copy takes\n\n"
            "CREATE DATABASE while another database has pages that a checkpoint has to write. ms; median\n"
            "(least–largest). Last, what testpool.clone_strategy = auto chooses.\n\n"
            + table(["", *ways, "auto"], lines))


def stalls(rows):
    percentiles = ("p50_us", "p95_us", "p99_us", "p99.9_us", "largest_us")
    found = {(row["what"], row["beside"]): [float(row[name] or "nan") for name in percentiles] for row in rows}
    names = {"alone": "alone", "churn": "beside clones of 1.6 GB"}
    lines = [[f"{row['what']}, {names[row['beside']]}", f"{int(row['number']):,}",
              *(ms(number) if number == number else "" for number in found[row["what"], row["beside"]]),
              ms(float(row["launcher_waited_us"])) if row["what"] == "acquire" else ""] for row in rows]
    idle, busy = found["acquire", "alone"][0], {what: found[what, "churn"][3] for what, _ in found}
    churn = next(row for row in rows if row["beside"] == "churn")
    return ("## Stalls: what acquire notices of large clones\n\n"
            f"One connection, {rows[0]['rate']} tests a second; {rows[0]['rounds']} rounds, in turns; "
            f"{churn['clones']} clones were made and dropped.\nms. The median of acquire alone, times "
            f"{times(busy['acquire'] / idle)}, is its p99.9 beside the clones; times {times(busy['SELECT 1'] / idle)}, that of "
            f"SELECT 1;\ntimes {times(busy['INSERT of one row'] / idle)}, that of the INSERT. Last, how long the launcher waited "
            "for a processor, for each acquire.\n\n"
            + table(["", "number", "p50", "p95", "p99", "p99.9", "largest", "no processor"], lines))
