"""What keys have spent today, kept over restarts: one small JSON file, replaced as a whole.

It is written every few seconds at most. A crash loses what was spent since; a budget is a guard, not an account.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final, Literal

import msgspec

from vivavoce.core.ledger import DayTotals

SPENDING_FILE_NAME: Final = "spending.json"


class SpendingUnreadable(Exception):
    """The file is there and cannot be used; the message names it and says why."""


class KeptSpending(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. `keys` are ids of credentials; the empty one is that of clients without a key."""

    version: Literal[1] = 1
    keys: dict[str, DayTotals] = {}


def encoded(keys: dict[str, DayTotals]) -> bytes:
    """Return the content of a file that holds these."""
    return msgspec.json.encode(KeptSpending(keys=keys), order="deterministic")


class SpendingFile:
    """The file in the data folder; made with its folder, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[str, DayTotals]:
        """Return what the file holds by key, nothing if there is none.

        Raises:
            SpendingUnreadable: it cannot be read, or is not ours. A budget that is not known is no budget.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=KeptSpending).keys
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SpendingUnreadable(f"The spending file {self.path} cannot be read: {error.strerror}.") from error
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise SpendingUnreadable(f"The spending file {self.path} is damaged: {error}.") from error

    def write(self, content: bytes) -> None:
        """Put this (see `encoded`) in the place of what the file holds; it is never half written.

        Raises:
            OSError: it cannot be written; what it held stays.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".spending-", dir=self.path.parent)  # mode 0600
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
