"""The account of a relayed session; where it goes on in a session of this process, that one takes it over."""

from vivavoce.core.spending import PaidModels, Speech, Spending
from vivavoce.protocol.extensions import SessionCost
from vivavoce.protocol.responses import Usage
from vivavoce.protocol.server_events import DurationUsage, TokensUsage


class RelayAccount:
    """The `Spending` of a relayed session. Once it is handed over, the relay counts nothing and only asks."""

    def __init__(self, account: Spending) -> None:
        self._account = account
        self._is_relays = True
        self._expected = 0  # responses that the relay awaits

    def hand_over(self, models: PaidModels) -> Spending:
        """Return the account for a session that uses these models and tells itself what they are used for."""
        while self._expected:
            self.unexpect()
        self._is_relays = False
        self._account.use(models)
        return self._account

    def admit(self, now: float) -> str | None:
        return self._account.admit(now)

    def admit_transcription(self, now: float) -> str | None:
        return self._account.admit_transcription(now)

    def use(self, models: PaidModels) -> None:
        if self._is_relays:
            self._account.use(models)

    def expect(self) -> None:
        if self._is_relays:
            self._expected += 1
            self._account.expect()

    def unexpect(self) -> None:
        if self._is_relays:
            self._expected = max(0, self._expected - 1)
            self._account.unexpect()

    def begin(self, response_id: str, now: float, rounds: int = 1) -> None:
        if self._is_relays:
            self._expected = max(0, self._expected - 1)
            self._account.begin(response_id, now, rounds)

    def charge(
        self, response_id: str, model: str | None, usage: Usage | None, now: float, speech: Speech | None = None
    ) -> float:
        return self._account.charge(response_id, model, usage, now, speech) if self._is_relays else 0.0

    def charge_transcription(self, model: str | None, usage: TokensUsage | DurationUsage, now: float) -> float:
        return self._account.charge_transcription(model, usage, now) if self._is_relays else 0.0

    def report(self, now: float) -> SessionCost:
        return self._account.report(now)

    def close(self, now: float) -> None:
        self._account.close(now)
