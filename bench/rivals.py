"""The report's chapters on testpool and its rivals."""

from contestants import SHARED
from markdown import column, distinct, median, ms, ms_spread, table, times

WAYS = ("rewind", "WAL_LOG", "FILE_COPY")
PLAIN = "20 rows"
TESTS_LIVE = ["nothing", "20 rows", "DDL"]
TESTS = {"nothing": "read only", PLAIN: "20 rows", "DDL": "DDL", "TRUNCATE": "TRUNCATE", "50,000 rows": "50,000 rows"}


def recycle_line(rows, fsync, template, test):
    of = {"fsync": fsync, "template": template, "test": test}
    wall = {way: column(rows, "wall_us", contestant=way, **of) for way in WAYS}
    plain = {way: wall[way] or column(rows, "wall_us", contestant=way, **of | {"test": PLAIN}) for way in WAYS}
    ratios = sorted(median(plain[way]) / median(wall["rewind"]) for way in WAYS[1:])
    return [f"fsync {fsync}, {template}, {TESTS[test]}", f"{median(column(rows, 'pages', contestant='rewind', **of)):.0f}",
            ms_spread(column(rows, "server_us", contestant="rewind", **of)),
            *(ms_spread(numbers) if numbers else "" for numbers in wall.values()),
            f"**{'–'.join(map(times, ratios))}**"]


def recycle(rows):
    return ("## Recycle: a used database is new again\n\n"
            "After tests of five kinds: testpool's rewind, and DROP DATABASE + CREATE DATABASE of the same\n"
            "template, in turns. ms; median (least–largest). \"Server\" is what the rewind took, the others are\n"
            "what a client waits for. Last, how many times longer DROP + CREATE takes, by its better and its\n"
            "worse strategy. A copy costs the same whatever the test did; where it takes seconds it was measured\n"
            "after one kind of test, and the ratios are to that.\n\n"
            + table(["", "pages put back", "rewind, server", "rewind", "DROP + CREATE, WAL_LOG",
                     "DROP + CREATE, FILE_COPY", "times"],
                    [recycle_line(rows, *which) for which in distinct(rows, "fsync", "template", "test")])
            + "\n![](recycle.svg)\n")


def room_table(rows, names):
    lines = []
    for (template,) in distinct(rows, "template"):
        of = {"template": template}
        lines.append([template] + [f"{median(column(rows, 'taken_bytes', contestant=way, **of)) / 2**20:,.1f}"
                                   for way in names])
    return table(["MB", *names.values()], lines)


def room(rows):
    return ("## Room: what one more database takes of the disk\n\n"
            "By how much less the file system has left, the log not counted.\n\n"
            + room_table([row for row in rows if row["fsync"] == rows[0]["fsync"]], {
                "testpool": "testpool's clone", "WAL_LOG": "CREATE, WAL_LOG", "FILE_COPY": "CREATE, FILE_COPY"}))


def pages(rows):
    lines = []
    for fsync, changed in distinct(rows, "fsync", "changed"):
        of = {"fsync": fsync, "changed": changed}
        wall = [column(rows, "wall_us", contestant=way, **of) for way in WAYS]
        lines.append([f"fsync {fsync}, {changed}", f"{median(column(rows, 'pages', **of)):,.0f}", *map(ms_spread, wall)])
    return ("## Pages: a rewind's cost follows what was changed\n\n"
            "A template of 155 MB. ms; median (least–largest).\n\n"
            + table(["changed", "pages put back", "rewind", "DROP + CREATE, WAL_LOG", "DROP + CREATE, FILE_COPY"], lines)
            + "\n![](pages.svg)\n")


def reflink(rows, its_room, its_tax):
    lines = []
    for (template,) in distinct(rows, "template"):
        wall = [column(rows, "wall_us", template=template, contestant=way) for way in WAYS]
        lines.append([template, *map(ms_spread, wall), f"**{times(median(wall[2]) / median(wall[0]))}**"])
    return ("## Reflink: where a copy shares its blocks\n\n"
            "PostgreSQL 18 on XFS, file_copy_method = clone, fsync off; a test of 20 rows. ms; median\n"
            "(least–largest).\n\n"
            + table(["", "rewind", "DROP + CREATE, WAL_LOG", "DROP + CREATE, reflink", "reflink ÷ rewind"], lines)
            + "\nWhat one more database takes of the disk:\n\n"
            + room_table(its_room, {"testpool": "testpool's clone", "WAL_LOG": "CREATE, WAL_LOG",
                                    "FILE_COPY": "CREATE, reflink"})
            + "\nTests per second with a database each, one client; FILE_COPY is a reflink:\n\n"
            + tax_table(its_tax, "template"))


def tax_table(rows, by):
    """Rates and taxes of the contestants, by what stands in this column."""
    heads = [value for (value,) in distinct(rows, by)]
    heads.sort(key=lambda value: int(value) if value.isdigit() else 0)

    def cell(contestant, value):
        found = column(rows, "tests_per_second", contestant=contestant, **{by: value})
        floor = column(rows, "tests_per_second", contestant=SHARED, **{by: value})
        return f"{rate(median(found))} ({times(median(floor) / median(found))})" if found else ""
    return table([by] + [TESTS.get(value, value) for value in heads],
                 [[contestant] + [cell(contestant, value) for value in heads]
                  for (contestant,) in distinct(rows, "contestant")])


def rate(number):
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def cost_table(rows):
    lines = []
    for (contestant,) in distinct(rows, "contestant"):
        found = [column(rows, f"{name}_per_test", contestant=contestant)
                 for name in ("cpu_ms", "wal_bytes", "written_bytes")]
        if all(found):
            cpu, wal, written = map(median, found)
            lines.append([contestant, f"{cpu:.1f}", f"{wal / 1024:,.0f}", f"{written / 1024:,.0f}"])
    return table(["", "CPU, ms", "WAL, kB", "files written, kB"], lines)


def tax(rows):
    small = [row for row in rows if row["template"] == "11 MB"]
    parts = ["## Tax: tests per second with a database each\n\n"
             "A test: connect, do something, disconnect. In brackets the isolation tax: the rate of the shared\n"
             f"database divided by this one. Median of the rounds ({len(distinct(rows, 'round'))} at most). A run ends\n"
             "when all that was used is clean again. Empty: beyond this contestant.\n"]
    for (fsync,) in distinct(rows, "fsync"):
        of = [row for row in small if row["fsync"] == fsync]
        sizes = [row for row in rows if row["fsync"] == fsync and row["test"] == PLAIN and row["clients"] == "1"]
        plain = [row for row in of if row["test"] == PLAIN]
        two = [row for row in of if row["clients"] == "2"]
        parts += [f"### fsync {fsync}\n",
                  "20 rows inserted, 10 updated, 1 deleted; template of 11 MB, 50 tables:\n", tax_table(plain, "clients"),
                  "Two clients, other tests; template of 11 MB:\n", tax_table(two, "test"),
                  "One client, the 20 rows, larger templates:\n", tax_table(sizes, "template"),
                  "What one of these tests of 20 rows costs, with two clients and 11 MB:\n",
                  cost_table([row for row in two if row["test"] == PLAIN])]
    return "\n".join(parts) + "\n![](tax.svg)\n\n![](tests.svg)\n\n![](templates.svg)\n\n![](cost.svg)\n"


def live(rows):
    parts = ["## Live: tests on a connection that stays open\n\n"
             f"{rows[0]['clients']} clients; one contestant connects for each test. In brackets the isolation tax. Median of the\n"
             f"rounds ({len(distinct(rows, 'round'))} at most).\n"]
    for template, fsync in distinct(rows, "template", "fsync"):
        of = [row for row in rows if row["template"] == template and row["fsync"] == fsync]
        parts += [f"### Template of {template}, fsync {fsync}\n", tax_table(of, "test"),
                  "Cleaning up after one test, as the client sees it; ms (least–largest of the rounds' medians):\n",
                  table(["", *TESTS_LIVE], [[contestant, *(ms_spread(column(of, "clean_p50_us", contestant=contestant, test=test))
                                                           for test in TESTS_LIVE)]
                                            for (contestant,) in distinct(of, "contestant")])]
    return "\n".join(parts)


def handout(rows):
    def lines(figure, fsync):
        for row in rows:
            if (row["figure"], row["fsync"]) == (figure, fsync):
                cells = [ms(float(row[name])) if row[name] else ""
                         for name in ("p50_us", "p95_us", "p99_us", "p99.9_us", "largest_us")]
                yield [row["contestant"], f"{int(row['tests']):,}", *cells]
    head = ["tests", "p50", "p95", "p99", "p99.9", "largest"]
    parts = ["## Over time: hand-out and first answer\n\nTwo clients without a pause, tests of 20 rows. ms.\n"]
    for (fsync,) in distinct(rows, "fsync"):
        parts += [f"fsync {fsync}, until a test has the name of a database that is ready:\n",
                  table(["", *head], [line for line in lines("hand-out", fsync) if line[0] != SHARED]),
                  f"fsync {fsync}, until the first query in it is answered, connecting included:\n",
                  table(["", *head], lines("first answer", fsync))]
    return "\n".join(parts) + "\n![](handout.svg)\n\n![](overtime.svg)\n"
