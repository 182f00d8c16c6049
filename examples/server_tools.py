"""Functions that run on the server: the model calls them, no client ever sees them.

    VIVAVOCE_TOOLS__MODULES=examples/server_tools.py make run

Then ask in the page: "What are the opening hours on Sunday?" or "What is the stock of lamps?".
"""

from typing import Literal

from vivavoce.engines.tools import ToolError, server_tool

STOCK = {"lamp": 4, "chair": 0}

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


@server_tool
def opening_hours(day: Day) -> str:
    """Tell the opening hours of the shop.

    Args:
        day: of the week.
    """
    return "closed" if day == "sunday" else "open from nine to five"


@server_tool
async def stock(article: str) -> dict[str, int]:
    """Tell how many pieces of an article are in stock.

    Args:
        article: its name, in the singular.
    """
    name = article.lower().removesuffix("s")
    if name not in STOCK:
        raise ToolError(f"There is no article '{article}'; there are: {', '.join(STOCK)}.")
    return {"pieces": STOCK[name]}
