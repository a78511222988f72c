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
    found = {row["beside"]: [float(row[name] or "nan") for name in percentiles] for row in rows}
    names = {"alone": "alone", "churn": "while clones of 1.6 GB are made and dropped"}
    lines = [[names[row["beside"]], f"{int(row['acquires']):,}",
              *(ms(number) if number == number else "" for number in found[row["beside"]])] for row in rows]
    alone, churn = found["alone"], found["churn"]
    return ("## Stalls: what acquire notices of large clones\n\n"
            f"One client without a pause; {rows[0]['rounds']} rounds, in turns; ms. Beside the large clones p99.9 is "
            f"{times(churn[3] / alone[3])}\ntimes that alone, and {times(churn[3] / alone[0])} times the median alone.\n\n"
            + table(["", "acquires", "p50", "p95", "p99", "p99.9", "largest"], lines))
