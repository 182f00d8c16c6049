"""The voice page in Chromium, with a spoken wav as its microphone, against a running server."""

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.web.browser import browser, page, start, wait_for_state
from tests.web.speech import recognise
from vivavoce.testing.wer import content_word_recall, word_error_rate

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright, WebSocketRoute

HEARD_ENOUGH = 100  # characters of an answer, several seconds of speech

# The state of the page and what was measured, as `?debug` shows them.
CAPTIONS = "() => window.vivavoce.session.state.captions"
HEARD = "() => Math.max(0, ...window.vivavoce.session.state.captions.map((it) => it.isFinal ? 0 : it.heardChars))"
REOPEN_MICROPHONE = "() => { void window.vivavoce.session.openMicrophone() }"


@pytest.fixture
def talking(chromium: "Browser", url: str) -> Iterator["Page"]:
    """A page on which a conversation with the embedded engines has begun."""
    with page(chromium) as opened:
        opened.goto(f"{url}?debug")
        start(opened)
        yield opened


def captions(opened: "Page") -> list[dict[str, Any]]:  # JSON boundary: the page's own objects
    found: list[dict[str, Any]] = opened.evaluate(CAPTIONS)
    return found


def test_a_spoken_question_is_shown_answered_aloud_and_the_answer_is_interrupted(talking: "Page") -> None:
    question = talking.wait_for_selector(".turn.user[data-final=true] p")
    assert question is not None
    shown = question.inner_text()
    wait_for_state(talking, "speaking")
    talking.wait_for_function(f"() => ({HEARD})() > {HEARD_ENOUGH}")
    talking.evaluate(REOPEN_MICROPHONE)  # the file begins anew: the question is asked into the answer
    wait_for_state(talking, "hearing")
    talking.wait_for_function("() => window.vivavoce.probe.bargeIns.length > 0")

    assert word_error_rate("what can you do", shown) <= 0.5
    answer = next(it for it in captions(talking) if it["speaker"] == "assistant")
    heard, unheard = answer["text"][: answer["heardChars"]], talking.locator(".unheard").inner_text()
    assert answer["isCut"] and len(heard) > HEARD_ENOUGH
    assert unheard.endswith(answer["text"][answer["heardChars"] :].strip())
    levels = talking.evaluate("() => window.vivavoce.probe.outputLevels.map((it) => it.rms)")
    assert max(levels) > 0.05
    output = base64.b64decode(talking.evaluate("() => window.vivavoce.probe.outputPcm()"))
    assert content_word_recall(heard, recognise(output)) >= 0.5


def test_an_interruption_silences_a_scripted_answer(chromium: "Browser", url: str) -> None:
    with page(chromium) as opened:
        opened.goto(f"{url}?debug&model=vivavoce-scripted")
        start(opened)
        wait_for_state(opened, "speaking")
        opened.wait_for_function(f"() => ({HEARD})() > {HEARD_ENOUGH}")

        opened.evaluate(REOPEN_MICROPHONE)
        opened.wait_for_function("() => window.vivavoce.probe.bargeIns.length > 0")

        barge_in = opened.evaluate("() => window.vivavoce.probe.bargeIns[0]")
        assert barge_in["onsetToSilenceMs"] > 0  # how long it took is for `bench/page.py` to say


def test_the_server_learns_what_was_heard_of_an_interrupted_answer(chromium: "Browser", url: str) -> None:
    sent: list[str] = []
    with page(chromium) as opened:
        opened.on("websocket", lambda socket: socket.on("framesent", lambda text: sent.append(str(text))))
        opened.goto(f"{url}?debug&model=vivavoce-scripted")
        start(opened)
        opened.wait_for_function(f"() => ({HEARD})() > {HEARD_ENOUGH}")

        opened.keyboard.press("Escape")
        opened.wait_for_selector(".turn.assistant[data-final=true] .unheard")

        assert [text for text in sent if "conversation.item.truncate" in text]
        assert opened.evaluate("() => window.vivavoce.session.state.problem") is None


def test_a_typed_message_is_answered_aloud_without_a_microphone(chromium: "Browser", url: str) -> None:
    with page(chromium) as opened:
        opened.goto(f"{url}?debug")
        opened.get_by_role("button", name="Type instead").click()
        wait_for_state(opened, "ready")

        opened.keyboard.type("What is two plus two?")
        opened.keyboard.press("Enter")
        wait_for_state(opened, "speaking")
        answer = opened.wait_for_selector(".turn.assistant[data-final=true] p")

        assert answer is not None
        assert "four" in answer.inner_text().lower()
        assert opened.evaluate("() => Math.max(...window.vivavoce.probe.outputLevels.map((it) => it.rms))") > 0.05


def test_a_refused_microphone_is_explained_and_typing_goes_on(playwright: "Playwright", url: str) -> None:
    with browser(playwright, None) as refusing, page(refusing) as opened:
        opened.goto(url)
        start(opened)

        opened.wait_for_selector('[data-microphone="denied"]')

        assert opened.get_by_role("alert").inner_text().startswith("The microphone is blocked")
        opened.get_by_label("Message").fill("Hello")
        opened.keyboard.press("Enter")
        opened.wait_for_selector(".turn.assistant[data-final=true]")


def test_a_lost_connection_is_opened_again_with_the_conversation(chromium: "Browser", url: str) -> None:
    routes: list[WebSocketRoute] = []
    replayed: list[str] = []

    def relay(route: "WebSocketRoute") -> None:
        is_second = bool(routes)
        server = route.connect_to_server()

        def forward(text: str | bytes) -> None:
            if is_second:
                replayed.append(str(text))
            server.send(text)

        route.on_message(forward)
        routes.append(route)

    with page(chromium) as opened:
        opened.route_web_socket("**/v1/realtime*", relay)
        opened.goto(f"{url}?debug&model=vivavoce-scripted")
        opened.get_by_role("button", name="Type instead").click()
        wait_for_state(opened, "ready")
        opened.get_by_label("Message").fill("My name is Ada.")
        opened.keyboard.press("Enter")
        wait_for_state(opened, "speaking")
        opened.keyboard.press("Escape")  # leaves the field
        opened.get_by_role("button", name="Interrupt").last.click()
        wait_for_state(opened, "ready")

        routes[0].close(code=1012, reason="restarting")
        opened.wait_for_selector('[data-connection="waiting"]')
        wait_for_state(opened, "ready")

        created = [text for text in replayed if "conversation.item.create" in text]
        assert "My name is Ada." in created[0]
        assert opened.evaluate("() => window.vivavoce.session.state.problem") is None


def test_a_voice_chosen_after_speech_starts_a_session_that_speaks_with_it(chromium: "Browser", url: str) -> None:
    with page(chromium) as opened:
        opened.goto(f"{url}?debug&model=vivavoce-scripted")
        opened.get_by_role("button", name="Type instead").click()
        wait_for_state(opened, "ready")
        opened.get_by_label("Message").fill("Hello")
        opened.keyboard.press("Enter")
        wait_for_state(opened, "speaking")

        opened.get_by_role("button", name="Voice", exact=True).click()
        opened.get_by_text("A session keeps its voice once it has spoken").wait_for()
        opened.get_by_role("radio", name="sage").check(force=True)
        opened.wait_for_function("() => window.vivavoce.session.state.engine.voice === 'sage'")

        assert opened.evaluate("() => window.vivavoce.session.state.isVoiceFixed") is False
        assert opened.evaluate("() => window.vivavoce.session.state.problem") is None


def test_a_conversation_can_be_held_with_the_keyboard_alone(chromium: "Browser", url: str) -> None:
    with page(chromium) as opened:
        opened.goto(f"{url}?debug&model=vivavoce-scripted")

        opened.keyboard.press("Enter")
        wait_for_state(opened, "speaking")
        opened.keyboard.press("Escape")
        opened.keyboard.press("m")
        wait_for_state(opened, "muted")
        opened.keyboard.press("m")
        opened.keyboard.press("?")

        opened.get_by_role("heading", name="Keyboard").wait_for()
        opened.keyboard.press("Escape")
        opened.get_by_role("heading", name="Keyboard").wait_for(state="hidden")
        assert opened.locator("[data-microphone=on]").count() == 1


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_nothing_is_cut_off_and_every_target_is_large_enough(chromium: "Browser", url: str, width: int) -> None:
    with page(chromium, width=width, height=844) as opened:
        opened.goto(f"{url}?debug&model=vivavoce-scripted")
        start(opened)
        wait_for_state(opened, "speaking")

        overflow = opened.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        boxes = [button.bounding_box() for button in opened.get_by_role("button").all()]

        assert overflow <= 0
        for box in boxes:
            assert box is not None
            assert box["width"] >= 44 and box["height"] >= 44
            assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_the_page_asks_nobody_but_its_own_server(chromium: "Browser", url: str) -> None:
    asked: list[str] = []
    with page(chromium) as opened:
        opened.on("request", lambda request: asked.append(request.url))

        opened.goto(url)
        opened.wait_for_load_state("networkidle")

        assert asked
        assert all(address.startswith(url) for address in asked)


def test_a_server_that_wants_a_key_is_told_apart_from_one_that_is_gone(chromium: "Browser", url: str) -> None:
    with page(chromium) as opened:
        opened.route_web_socket("**/v1/realtime*", lambda route: route.close(code=3000, reason="invalid_api_key"))
        opened.goto(url)

        start(opened)
        wait_for_state(opened, "error")

        assert "asks for a key" in opened.get_by_role("alert").inner_text()
        opened.get_by_role("button", name="Open settings").click()
        opened.get_by_role("textbox", name="Key").wait_for()


def test_a_turn_lasts_as_long_as_the_space_bar_is_held(chromium: "Browser", url: str) -> None:
    sent: list[str] = []

    def has_sent_half_a_second(text: str | bytes) -> bool:
        sent.append(str(text))
        return sum("input_audio_buffer.append" in one for one in sent) >= 25

    with page(chromium) as opened:
        opened.add_init_script("localStorage.setItem('vivavoce.settings', JSON.stringify({ isPushToTalk: true }))")
        opened.goto(f"{url}?debug&model=vivavoce-scripted")
        with opened.expect_websocket() as connection:
            opened.keyboard.press("Enter")
        wait_for_state(opened, "listening")

        with connection.value.expect_event("framesent", has_sent_half_a_second):
            opened.keyboard.down(" ")
        held = opened.locator("[data-state=hearing]").count()
        opened.keyboard.up(" ")
        wait_for_state(opened, "speaking")

        assert held == 1
        assert opened.locator(".turn.user[data-final=true]").count() == 1
