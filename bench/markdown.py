"""Tables of the report."""

import statistics


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def spread(numbers, form="{:.2f}"):
    """Median, and the least and largest in brackets."""
    low, middle, high = min(numbers), statistics.median(numbers), max(numbers)
    return f"{form} ({form}–{form})".format(middle, low, high)


def ms(microseconds):
    """Few digits, whatever the size."""
    number = microseconds / 1000
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def ms_spread(microseconds):
    numbers = sorted(microseconds)
    if len(numbers) == 1:
        return ms(numbers[0])
    return f"{ms(statistics.median(numbers))} ({ms(numbers[0])}–{ms(numbers[-1])})"


def times(ratio):
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def distinct(rows, *names):
    """The values of these columns, in the order in which they first come."""
    return list(dict.fromkeys(tuple(row[name] for name in names) for row in rows))


def column(rows, name, **wanted):
    """The numbers of one column, of the rows that have these values in others."""
    return [float(row[name]) for row in rows
            if row[name] != "" and all(row[key] == value for key, value in wanted.items())]


def median(numbers):
    return statistics.median(numbers) if numbers else float("nan")
