"""Table: a Markdown table that appears row by row, as soon as each is known."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Table:
    """A Markdown table that prints each row as soon as it is known."""

    columns: tuple[str, ...] = field(init=False)

    def __init__(self, *columns: str) -> None:
        self.columns = columns
        self.row(*columns)
        self.row(*("---" for _ in columns))

    def row(self, *cells: str) -> None:
        """Print one row."""
        print("| " + " | ".join(cells) + " |", flush=True)
