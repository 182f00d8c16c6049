"""Places in a payload and what the wire types say about them."""

from typing import Literal

import msgspec
import pytest
from msgspec import inspect

from vivavoce.protocol import schema


class Cat(msgspec.Struct, tag="cat"):
    lives: int = 9
    name: str | None = None


class Dog(msgspec.Struct, tag="dog"):
    tricks: tuple[Literal["sit", "roll"], ...] = ()
    weight: float = 1.0


class Owner(msgspec.Struct):
    pet: Cat | Dog
    age: Literal[18, 21] | None = None


OWNER = inspect.type_info(Owner)


@pytest.mark.parametrize(
    ("path", "place", "name"),
    [
        ("$", (), ""),
        ("$.type", ("type",), "type"),
        ("$.item.content[0].text", ("item", "content", 0, "text"), "item.content[0].text"),
        ("$.response.metadata[...]", ("response", "metadata"), "response.metadata"),
    ],
)
def test_a_path_of_the_decoder_is_a_place_with_a_dotted_name(path: str, place: schema.Place, name: str) -> None:
    assert schema.parse_place(path) == place
    assert schema.dotted(place) == name


@pytest.mark.parametrize(
    ("place", "value"), [(("a", 1), 3), (("a", 2), None), (("b",), None), (("a", "b"), None), ((0,), None)]
)
def test_a_value_is_found_at_its_place_or_is_none(place: schema.Place, value: object) -> None:
    assert schema.value_at({"a": [2, 3]}, place) == value


def test_the_tag_decides_which_schema_holds_below() -> None:
    payload = {"pet": {"type": "dog", "tricks": ["sit", "fly"]}}

    found = schema.schema_at(payload, ("pet", "tricks", 1), OWNER)

    assert schema.literals(found) == ["roll", "sit"]


@pytest.mark.parametrize("place", [("car",), ("pet", "wings"), ("pet", 0), ("age", "x")])
def test_a_place_that_the_types_do_not_know_may_hold_anything(place: schema.Place) -> None:
    assert isinstance(schema.schema_at({"pet": {"type": "cat"}, "age": 3}, place, OWNER), inspect.AnyType)


@pytest.mark.parametrize(
    ("path", "is_field"),
    [("pet", True), ("pet.lives", True), ("pet.weight", True), ("pet.tail", False), ("age.x", False), ("", False)],
)
def test_a_dotted_path_is_a_field_of_any_alternative_or_is_none(path: str, is_field: bool) -> None:
    assert schema.has_field(OWNER, path) is is_field


def test_the_tags_of_alternatives_are_known() -> None:
    assert schema.tags(schema.schema_at({}, ("pet",), OWNER)) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"pet": {"type": "cat", "lives": 7.0}}, {"pet": {"type": "cat", "lives": 7}}),
        ({"pet": {"type": "cat", "lives": 7.5}}, {"pet": {"type": "cat", "lives": 7.5}}),
        ({"pet": {"type": "cat", "lives": None}}, {"pet": {"type": "cat"}}),
        ({"pet": {"type": "cat", "name": None}}, {"pet": {"type": "cat", "name": None}}),
        ({"pet": {"type": "cat", "weight": None}}, {"pet": {"type": "cat"}}),
        ({"pet": {"type": "cat", "weight": 1}}, {"pet": {"type": "cat", "weight": 1}}),
        ({"pet": {"type": "cat", "wings": None}}, {"pet": {"type": "cat", "wings": None}}),
        ({"pet": {"type": "cow", "lives": None}}, {"pet": {"type": "cow", "lives": None}}),
        ({"pet": None, "age": 18.0}, {"age": 18}),
        ({"pet": [None]}, {"pet": [None]}),
        ([1.0], [1.0]),
    ],
)
def test_what_the_api_tolerates_is_normalised_and_nothing_else(payload: object, expected: object) -> None:
    assert repr(schema.normalised(payload, OWNER)) == repr(expected)
