"""The report's chapters on what goes on behind a test: how copies are made, and what others notice of it."""

from markdown import column, distinct, median, ms, ms_spread, table, times


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
    found = {beside: [median(column(rows, name, beside=beside)) for name in percentiles] for beside in ("alone", "churn")}
    names = {"alone": "alone", "churn": "while clones of 1.6 GB are made and dropped"}
    lines = [[name, f"{sum(column(rows, 'acquires', beside=beside)):,.0f}", *map(ms, found[beside])]
             for beside, name in names.items()]
    return ("## Stalls: what acquire notices of large clones\n\n"
            f"One client without a pause; {rows[0]['rounds']} rounds, in turns; ms. Beside the large clones\n"
            f"p99.9 is {times(found['churn'][3] / found['alone'][0])} times the median alone, p99 "
            f"{times(found['churn'][2] / found['alone'][0])} times.\n\n"
            + table(["", "acquires", "p50", "p95", "p99", "p99.9", "largest"], lines))
