"""What ``python -m pyconv`` can do, one module for each command.

A command has ``add_parser``, which names its arguments, and ``run``, which returns nothing and
raises CommandError for what the user should read as one line.
"""

#: Exit codes of the command line.
OK, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130


class CommandError(Exception):
    """A failure that one line explains."""

    def __init__(self, message: object, code: int = FAILURE) -> None:
        super().__init__(" ".join(str(message).split()))
        self.code = code


class MissingPackageError(CommandError):
    """A package of the ``demo`` extra is not installed."""

    def __init__(self, task: str, package: str) -> None:
        super().__init__(
            f"{task} needs {package}: pip install 'pyconv-nd[demo]', "
            "or pip install -e '.[demo]' in a clone",
            USAGE,
        )
