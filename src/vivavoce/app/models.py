"""The models a client may name, and the API's list of them."""

import fnmatch
from typing import Final, Literal

import msgspec

from vivavoce.app.errors import HttpError

_OWNER: Final = "vivavoce"


class ModelCard(msgspec.Struct, frozen=True):
    """One model as the API lists it; `created` is unix seconds, 0 when that means nothing."""

    id: str
    created: int = 0
    object: str = "model"
    owned_by: str = _OWNER


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /v1/models`."""

    object: Literal["list"] = "list"
    data: tuple[ModelCard, ...]


class ModelCatalogue(msgspec.Struct, frozen=True):
    """The listed models. Unless `is_strict`, names that are not listed are served as well (by the default engine).

    `patterns` are of names that are served without being listed, `*` for any characters.
    """

    cards: tuple[ModelCard, ...]
    is_strict: bool = False
    patterns: tuple[str, ...] = ()

    def find(self, model: str) -> ModelCard | None:
        """Return a model that may be named, listed or not; None for one of which nobody knows."""
        listed = next((card for card in self.cards if card.id == model), None)
        return listed or (ModelCard(model) if self._has_pattern(model) else None)

    def serves(self, model: str | None) -> bool:
        """Tell whether a session may be opened for this name; None asks for the default."""
        return model is None or not self.is_strict or self.find(model) is not None

    def _has_pattern(self, model: str) -> bool:
        return any(fnmatch.fnmatchcase(model, pattern) for pattern in self.patterns)

    def listing(self) -> bytes:
        """Return the JSON of `GET /v1/models`."""
        return msgspec.json.encode(ModelList(data=self.cards))


def model_not_found(model: str) -> HttpError:
    message = f"The model '{model}' does not exist or you do not have access to it."
    return HttpError(status=404, message=message, param="model", code="model_not_found")
