"""The report's chapters on testpool and its rivals."""

import statistics

from markdown import column, distinct, ms, ms_spread, table, times

SHARED = "one shared database (not isolated)"
REWIND = "testpool, rewind"


def recycle(rows):
    lines = []
    for fsync, template, test in distinct(rows, "fsync", "template", "test"):
        of = {"fsync": fsync, "template": template, "test": test}
        wall = {way: column(rows, "wall_us", contestant=way, **of) for way in ("rewind", "WAL_LOG", "FILE_COPY")}
        server = column(rows, "server_us", contestant="rewind", **of)
        rivals = [statistics.median(wall[way]) for way in ("WAL_LOG", "FILE_COPY") if wall[way]]
        ratios = "–".join(times(r / statistics.median(wall["rewind"])) for r in sorted(rivals)) or ""
        pages = statistics.median(column(rows, "pages", contestant="rewind", **of))
        lines.append([f"fsync {fsync}, {template}, {test}", f"{pages:.0f}", ms_spread(server),
                      *(ms_spread(numbers) if numbers else "" for numbers in wall.values()), f"**{ratios}**"])
    return ("## Recycle: a used database is new again\n\n"
            "After tests of five kinds: testpool's rewind, and DROP DATABASE + CREATE DATABASE of the same\n"
            "template, in turns. ms; median (least–largest). \"Server\" is what the rewind took, the others are\n"
            "what a client waits for. Last, how many times longer DROP + CREATE takes, by its better and its\n"
            "worse strategy. 1.6 GB: DROP + CREATE after one kind of test only.\n\n"
            + table(["", "pages put back", "rewind, server", "rewind", "DROP + CREATE, WAL_LOG",
                     "DROP + CREATE, FILE_COPY", "times"], lines)
            + "\n![](recycle.svg)\n")


def pages(rows):
    lines = []
    for (changed,) in distinct(rows, "changed"):
        wall = [column(rows, "wall_us", changed=changed, contestant=way) for way in ("rewind", "WAL_LOG", "FILE_COPY")]
        lines.append([changed, f"{statistics.median(column(rows, 'pages', changed=changed)):,.0f}",
                      *map(ms_spread, wall)])
    return ("## Pages: a rewind's cost follows what was changed\n\n"
            "A template of 155 MB. ms; median (least–largest).\n\n"
            + table(["changed", "pages put back", "rewind", "DROP + CREATE, WAL_LOG", "DROP + CREATE, FILE_COPY"], lines)
            + "\n![](pages.svg)\n")


def reflink(rows):
    lines = []
    for template, in distinct(rows, "template"):
        wall = [column(rows, "wall_us", template=template, contestant=way) for way in ("rewind", "WAL_LOG", "FILE_COPY")]
        lines.append([template, *map(ms_spread, wall),
                      f"**{times(statistics.median(wall[2]) / statistics.median(wall[0]))}**"])
    return ("## Reflink: where a copy shares its blocks\n\n"
            "PostgreSQL 18 on XFS, file_copy_method = clone, fsync off; a test of 20 rows. ms; median\n"
            "(least–largest).\n\n"
            + table(["", "rewind", "DROP + CREATE, WAL_LOG", "DROP + CREATE, reflink", "reflink ÷ rewind"], lines))


def tax_table(rows, fsync):
    counts = [clients for (clients,) in distinct(rows, "clients")]
    rates = {}
    for contestant, clients in distinct(rows, "contestant", "clients"):
        found = column(rows, "tests_per_second", contestant=contestant, clients=clients, fsync=fsync)
        rates[contestant, clients] = statistics.median(found)
    lines = [[contestant] + [f"{rates[contestant, c]:,.0f} ({times(rates[SHARED, c] / rates[contestant, c])})"
                             for c in counts] for (contestant,) in distinct(rows, "contestant")]
    return f"fsync {fsync}\n\n" + table(["clients"] + counts, lines)


def cost_table(rows):
    fsync, clients = rows[0]["fsync"], "2"
    lines = []
    for (contestant,) in distinct(rows, "contestant"):
        of = {"contestant": contestant, "clients": clients, "fsync": fsync}
        cpu, wal, written = (statistics.median(column(rows, name, **of)) for name in (
            "cpu_ms_per_test", "wal_bytes_per_test", "written_bytes_per_test"))
        lines.append([contestant, f"{cpu:.1f}", f"{wal / 1024:,.0f}", f"{written / 1024:,.0f}"])
    return (f"What a test costs the server, with {clients} clients and fsync {fsync}:\n\n"
            + table(["", "CPU, ms", "WAL, kB", "files written, kB"], lines))


def tax(rows):
    rounds = len(distinct(rows, "round"))
    return ("## Tax: tests per second with a database each\n\n"
            "A test: connect, insert 20 rows, update 10, delete 1, disconnect; template of 11 MB, 50 tables. In\n"
            f"brackets the isolation tax: the rate of the shared database divided by this one. Median of {rounds}\n"
            "rounds. A run ends when all that was used is clean again.\n\n"
            + "\n".join(tax_table([row for row in rows if row["fsync"] == fsync], fsync)
                        for (fsync,) in distinct(rows, "fsync"))
            + "\n![](tax.svg)\n\n" + cost_table(rows))


def percentile(numbers, share):
    ordered = sorted(numbers)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def overtime(rows):
    def lines(name):
        for (contestant,) in distinct(rows, "contestant"):
            numbers = column(rows, name, contestant=contestant)
            cells = [ms(percentile(numbers, share)) if len(numbers) * (1 - share) >= 1 else ""
                     for share in (0.5, 0.95, 0.99, 0.999)]
            yield [contestant, f"{len(numbers):,}", *cells, ms(max(numbers))]
    head = ["ms", "tests", "p50", "p95", "p99", "p99.9", "largest"]
    return ("## Over time: hand-out and first answer\n\n"
            "Two clients without a pause. Until a test has the name of a database that is ready:\n\n"
            + table(head, [line for line in lines("handout_us") if line[0] != SHARED])
            + "\nUntil the first query in it is answered, connecting included:\n\n"
            + table(head, lines("first_answer_us")) + "\n![](overtime.svg)\n")
