"""Ids of the counting source."""

from vivavoce.protocol.ids import CountingIds, IdSource


def test_an_id_is_its_prefix_and_twenty_characters() -> None:
    source: IdSource = CountingIds()

    assert source.make("item") == "item_00000000000000000001"


def test_ids_count_over_all_prefixes() -> None:
    source = CountingIds()

    ids = [source.make(prefix) for prefix in ("item", "resp", "item")]

    assert ids == ["item_00000000000000000001", "resp_00000000000000000002", "item_00000000000000000003"]


def test_two_sources_make_the_same_ids() -> None:
    assert CountingIds().make("event") == CountingIds().make("event")
