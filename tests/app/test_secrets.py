"""Client secrets as the server keeps them: made, found, expired, revoked, bounded."""

import msgspec
import pytest

from tests.app.serving import ManualClock
from vivavoce.app.secrets import MAX_REMEMBERED, ClientSecrets, SecretOrder, TooManySecrets, safety_identifier
from vivavoce.protocol.extensions import ExtensionPatch
from vivavoce.protocol.session import SessionPatch
from vivavoce.protocol.translation import TranslationOrder

ORDER = SecretOrder(lifetime_s=60, credential_id="abc")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def secrets(clock: ManualClock) -> ClientSecrets:
    return ClientSecrets(clock.unix_s, max_live=3)


def test_a_secret_has_256_random_bits_and_is_found_by_its_text(secrets: ClientSecrets) -> None:
    text, secret = secrets.mint(ORDER)

    assert text.startswith("ek_")
    assert len(bytes.fromhex(text[3:])) == 32
    assert secrets.find(text) == secret
    assert secrets.find(text[:-1]) is None
    assert secrets.find(f"{text}0") is None


def test_the_text_of_a_secret_is_kept_nowhere(secrets: ClientSecrets) -> None:
    text, _ = secrets.mint(ORDER)

    assert text not in repr(vars(secrets))
    assert text[3:19] not in secrets.list()[0].id


def test_a_secret_tells_what_it_is_for(secrets: ClientSecrets) -> None:
    session = SessionPatch(type="transcription", model="m", vivavoce=ExtensionPatch(locked=("instructions",)))

    _, plain = secrets.mint(ORDER)
    _, with_session = secrets.mint(msgspec.structs.replace(ORDER, configuration=session))
    _, translation = secrets.mint(msgspec.structs.replace(ORDER, translation=TranslationOrder(model="t")))

    assert (plain.kind, plain.model, plain.locked) == (None, None, ())
    assert (with_session.kind, with_session.model, with_session.locked) == ("transcription", "m", ("instructions",))
    assert (translation.kind, translation.model) == ("translation", "t")


def test_a_secret_opens_any_number_of_sessions_until_it_expires(secrets: ClientSecrets, clock: ManualClock) -> None:
    text, secret = secrets.mint(ORDER)

    clock.now_s += 59
    before = [secrets.find(text) for _ in range(3)]
    clock.now_s += 1

    assert before == [secret] * 3
    assert secrets.find(text) is None


def test_an_expired_secret_is_told_from_an_unknown_one(secrets: ClientSecrets, clock: ManualClock) -> None:
    text, _ = secrets.mint(ORDER)
    assert not secrets.has_expired(text)

    clock.now_s += 60
    assert secrets.has_expired(text)
    secrets.mint(ORDER)  # which clears away what has expired
    assert secrets.has_expired(text)
    assert not secrets.has_expired("ek_unknown")


def test_a_revoked_secret_is_neither_found_nor_expired(secrets: ClientSecrets) -> None:
    text, secret = secrets.mint(ORDER)

    assert secrets.revoke(secret.id)

    assert secrets.find(text) is None
    assert not secrets.has_expired(text)
    assert not secrets.revoke(secret.id)


def test_the_list_holds_what_has_not_expired(secrets: ClientSecrets, clock: ManualClock) -> None:
    _, short = secrets.mint(msgspec.structs.replace(ORDER, lifetime_s=10))
    _, long = secrets.mint(ORDER)

    assert secrets.list() == [short, long]
    clock.now_s += 10
    assert secrets.list() == [long]


def test_more_secrets_than_the_limit_are_refused_until_one_expires(secrets: ClientSecrets, clock: ManualClock) -> None:
    for lifetime_s in (60, 10, 60):
        secrets.mint(msgspec.structs.replace(ORDER, lifetime_s=lifetime_s))
    clock.now_s += 3

    with pytest.raises(TooManySecrets) as refused:
        secrets.mint(ORDER)
    clock.now_s += 7
    secrets.mint(ORDER)

    assert refused.value.retry_after_s == 7


def test_configurations_are_bounded_by_their_bytes(clock: ManualClock) -> None:
    secrets = ClientSecrets(clock.unix_s)
    megabyte = msgspec.structs.replace(
        ORDER, configuration=SessionPatch(type="realtime", instructions="x" * (1024 * 1024))
    )

    made = 0
    with pytest.raises(TooManySecrets):
        while made <= 64:
            secrets.mint(megabyte)
            made += 1
    clock.now_s += 60
    secrets.mint(megabyte)

    assert made == 63


def test_expired_secrets_are_forgotten_in_the_end(clock: ManualClock) -> None:
    secrets = ClientSecrets(clock.unix_s, max_live=MAX_REMEMBERED + 1)
    first, _ = secrets.mint(ORDER)
    clock.now_s += 60
    for _ in range(2):
        secrets.list()
        for _ in range(MAX_REMEMBERED // 2):
            secrets.mint(ORDER)
        clock.now_s += 60
    assert secrets.has_expired(first)

    secrets.list()

    assert not secrets.has_expired(first)


@pytest.mark.parametrize(
    ("header", "expected"), [(None, None), ("", None), ("  ", None), (" user-1 ", "user-1"), ("x" * 600, "x" * 512)]
)
def test_the_end_user_is_taken_as_named_within_a_length(header: str | None, expected: str | None) -> None:
    assert safety_identifier(header) == expected
