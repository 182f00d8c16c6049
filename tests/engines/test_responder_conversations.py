"""Conversations with the embedded responder, row by row: what is said in turn, and the last answer."""

from datetime import datetime

import pytest

from vivavoce.core.requests import ContextItem, ContextMessage, GenerationRequest
from vivavoce.engines.llm.respond import respond

NOW = datetime(2026, 11, 21, 15, 20)  # a Saturday

# Sentences that return in many answers.
IS = "I am the built-in offline responder, a set of rules and not an AI model."
CAN = (
    "I can talk about what you told me, tell the time and date, calculate, convert units, count, spell, repeat "
    "after you, and tell a joke or a fact."
)
OFFER = "Would you like to hear what I can do?"
LIMIT = "I am the built-in offline responder and know only what you tell me."
DESPAIR = (
    "I am sorry that you feel this way. I am only an offline program and cannot help with this. Please talk to "
    "someone you trust, or call a crisis line or your local emergency number now."
)
EMERGENCY = (
    "I am only an offline program and cannot call anyone. If this is an emergency, please call your local "
    "emergency number now."
)

# What the user says, one turn after the other, and the answer to the last.
CONVERSATIONS = [
    # Greetings, names and facts
    ("hello", "Hello. How can I help you?"),
    ("good morning", "Good afternoon. How can I help you?"),
    ("hi there how are you", "Hello. I am well, thank you. How are you?"),
    ("hey how are you doing | fine thanks and you", "I am well, thank you. What would you like to talk about?"),
    ("my name is bob", "Nice to meet you, Bob. What would you like to talk about?"),
    ("call me captain", "Nice to meet you, Captain. What would you like to talk about?"),
    ("hi i am peter", "Nice to meet you, Peter. How are you today?"),
    ("i'm anna", "Nice to meet you, Anna. What would you like to talk about?"),
    ("i am tired", "I am sorry to hear that you are tired. Would you like to talk about it?"),
    ("i am from berlin", "How nice. What is Berlin like?"),
    ("I am Zorro", "Nice to meet you, Zorro. What would you like to talk about?"),
    ("my name is bob | what's my name", "Your name is Bob."),
    ("my name is bob | no my name is rob | what is my name", "Your name is Rob."),
    ("what is my name", "You have not told me your name yet. What should I call you?"),
    ("what is my name | bob", "Nice to meet you, Bob. What would you like to talk about?"),
    ("what is my name | bob | who am i", "Your name is Bob."),
    ("my name is mary and i live in new york | where do i live", "You told me you are from or live in New York."),
    ("my name is mary and i live in new york | what is my name", "Your name is Mary."),
    ("what my name", "You have not told me your name yet. What should I call you?"),
    ("my name is not important | what is my name", "You have not told me your name yet. What should I call you?"),
    ("i live in paris | where do i live", "You told me you are from or live in Paris."),
    ("where do i live", "You have not told me where you live."),
    ("i am from the south of france | where am i from", "You told me you are from or live in the south of France."),
    ("i like football and tea | what do i like", "You like football and tea."),
    ("i love my dog but i hate cats | what do i like", "You like your dog."),
    ("i hate cats | what do i hate", "You do not like cats."),
    ("my favorite color is blue | what is my favorite color", "You told me that your favorite color is blue."),
    ("my dog is called rex | what is my dog's name", "You told me that your dog is called rex."),
    ("my sister is a doctor | who is my sister", "You told me that your sister is a doctor."),
    ("what is my favorite food", "You have not told me about your favorite food."),
    (
        "remember that the key is under the mat | what did i ask you to remember",
        "You asked me to remember that the key.",
    ),
    ("i like tea | my name is bob | what do you know about me", "You told me that you like tea, and your name is Bob."),
    ("what do you know about me", "You have not told me anything about yourself yet."),
    # What was said
    ("i like trains | what did i say", "You said, i like trains."),
    ("hello | i like trains | what did i say first", "First you said, hello."),
    ("what did i say", "You have not said anything before this question."),
    ("i like trains | i like tea | what did i say about trains", "You said, i like trains."),
    ("i like trains | what did i say about boats", "You have not said anything about boats."),
    ("i like trains | what did you say", "I said, You like trains. What do you like most about it."),
    ("what did you say", "I have not said anything yet."),
    ("hello | hi | what did you say first", "First I said, Hello. How can I help you."),
    (
        "hello | i went to the sea | summarize our conversation",
        "You said two things. The last thing was, i went to the sea.",
    ),
    ("summarize what we talked about", "We have not talked about anything yet."),
    ("how long have we been talking", "We have been talking for one minute and fifteen seconds."),
    ("how long have we talked", "We have been talking for one minute and fifteen seconds."),
    ("hello | hello | how many things have i said", "Before this question you said two things."),
    ("hello | how many things have you said", "I have said one thing so far."),
    # The clock
    ("what time is it", "It is three twenty in the afternoon."),
    ("what the time", "It is three twenty in the afternoon."),
    ("could you tell me the time please", "It is three twenty in the afternoon."),
    ("time please", "It is three twenty in the afternoon."),
    ("what's the date today", "Today is Saturday, November twenty first, two thousand twenty six."),
    ("what day is it", "Today is Saturday, November twenty first, two thousand twenty six."),
    ("what day is it tomorrow", "Tomorrow is Sunday, November twenty second, two thousand twenty six."),
    ("what day was it yesterday", "Yesterday was Friday, November twentieth, two thousand twenty six."),
    ("what day is december twenty fifth", "That is Friday, December twenty fifth, two thousand twenty six."),
    ("what year is it", "It is the year two thousand twenty six."),
    ("what month is it", "It is November."),
    (
        "how many days until christmas",
        "It is thirty four days until Friday, December twenty fifth, two thousand twenty six.",
    ),
    # Arithmetic
    ("what is twelve times seven", "Twelve times seven is eighty four."),
    ("what's 12*7", "Twelve times seven is eighty four."),
    ("ten plus 4 minus two", "Ten plus four minus two is twelve."),
    ("fifteen percent of eighty", "Fifteen percent of eighty is twelve."),
    ("what is 15% of 80", "Fifteen percent of eighty is twelve."),
    ("square root of 81", "The square root of eighty one is nine."),
    ("square root of two", "The square root of two is about one point four one four two."),
    ("what is five divided by zero", "I cannot divide by zero."),
    ("five divided by two", "Five divided by two is two point five."),
    ("ten divided by three", "Ten divided by three is about three point three three three three."),
    ("two to the power of ten", "Two to the power of ten is one thousand twenty four."),
    ("seven squared", "Seven squared is forty nine."),
    ("add five and six", "Five plus six is eleven."),
    ("subtract three from ten", "Ten minus three is seven."),
    ("multiply six by seven", "Six times seven is forty two."),
    ("what is the sum of two and three", "Two plus three is five."),
    ("the difference between ten and four", "Ten minus four is six."),
    ("half of fifty", "Half of fifty is twenty five."),
    ("double twenty one", "Double twenty one is forty two."),
    ("what is minus five plus two", "Minus five plus two is minus three."),
    ("three point five plus one", "Three point five plus one is four point five."),
    (
        "one hundred and five plus one thousand two hundred",
        "One hundred five plus one thousand two hundred is one thousand three hundred five.",
    ),
    ("square root of minus four", "A negative number has no real square root."),
    ("two to the power of a million", "That number is too large for me."),
    ("average of three four and eight", "The average is five."),
    ("which is bigger nine or eleven", "Eleven is bigger."),
    ("what is two plus to", "Two plus two is four."),
    ("what is twelve times seven | plus six", "Eighty four plus six is ninety."),
    ("100 minus 1", "One hundred minus one is ninety nine."),
    # Units
    ("how many feet in a mile", "One mile is five thousand two hundred eighty feet."),
    ("how many centimeters are in two meters", "Two meters are two hundred centimeters."),
    (
        "convert 100 fahrenheit to celsius",
        "One hundred degrees fahrenheit is about thirty seven point seven eight degrees celsius.",
    ),
    ("what is thirty degrees celsius in fahrenheit", "Thirty degrees celsius is eighty six degrees fahrenheit."),
    ("5 kilometers in miles", "Five kilometers are about three point one one miles."),
    ("how many minutes are in two hours", "Two hours are one hundred twenty minutes."),
    ("ten pounds in kilograms", "Ten pounds are about four point five four kilograms."),
    ("how many liters in a gallon", "One gallon is about three point seven nine liters."),
    (
        "sixty miles per hour in kilometers per hour",
        "Sixty miles per hour are about ninety six point five six kilometers per hour.",
    ),
    ("convert five kilograms to meters", "I cannot turn kilograms into meters. One measures mass, the other length."),
    ("how many seconds in a day", "One day is eighty six thousand four hundred seconds."),
    # Reciting
    ("count to five", "One, two, three, four, five."),
    ("count from three to six", "Three, four, five, six."),
    ("count down from five", "Five, four, three, two, one."),
    ("count to a thousand", "That would take a while. I count up to thirty numbers at a time."),
    ("count", "How far should I count?"),
    ("spell banana", "Banana is spelled B, A, N, A, N, A."),
    ("how do you spell house", "House is spelled H, O, U, S, E."),
    ("my name is bob | spell my name", "Bob is spelled B, O, B."),
    ("say the alphabet", "A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z."),
    ("say exactly the quick brown fox", "The quick brown fox."),
    ("repeat after me hello world", "Hello world."),
    ("say good morning", "Good morning."),
    ("say what time is it", "It is three twenty in the afternoon."),
    ("can you say thank you", "Thank you."),
    # Chance, jokes and facts
    ("flip a coin", "I have no real chance in me, but let us say heads."),
    ("roll a dice", "I have no real chance in me, but let us say one."),
    ("give me a random number between five and nine", "I have no real chance in me, but let us say nine."),
    (
        "tell me a joke",
        "My microphone and I broke up. It said I never listened in stereo. Would you like another joke?",
    ),
    ("tell me a joke | yes", "I asked the clock for advice. It told me to take my time. Would you like another joke?"),
    (
        "tell me a joke | another one",
        "I asked the clock for advice. It told me to take my time. Would you like another joke?",
    ),
    ("tell me a joke | no", "All right. What would you like to talk about instead?"),
    ("tell me a fact", "Sound travels more than four times faster in water than in air. Would you like another fact?"),
    ("tell me a fact | yes please", "A day on Venus is longer than its year. Would you like another fact?"),
    (
        "tell me a story",
        "Once a lighthouse grew tired of blinking. It stopped for one night, and all the ships came to ask how it was.",
    ),
    (
        "sing a song",
        "The word goes out, the word comes back, a little late, a little slack, and in between the two of us, a pause.",
    ),
    # The responder itself
    ("who are you", f"I have no name of my own. {IS} {CAN}"),
    ("what are you", f"I have no name of my own. {IS} {CAN}"),
    ("what's your name", f"I have no name of my own. {IS}"),
    ("are you a robot", f"{IS} I am a program, not a person."),
    ("are you human", f"{IS} I am a program, not a person."),
    ("what can you do", f"{IS} {CAN}"),
    ("help", f"{IS} {CAN}"),
    ("how old are you", "I have no age. I start afresh with every conversation."),
    ("where do you live", "I live in the server that you are talking to. I need no network."),
    ("who made you", "I am part of viva voce, the voice server that you are talking to."),
    ("do you speak german", "I understand and speak English only."),
    ("can you hear me", "Yes, I can hear you."),
    # Control
    ("stop", "All right, I will stop."),
    ("never mind", "All right. What would you like instead?"),
    ("repeat that", "I have not said anything yet."),
    ("hello | repeat that", "Hello. How can I help you?"),
    ("hello | say that again please", "Hello. How can I help you?"),
    ("hello | pardon", "Hello. How can I help you?"),
    # Limits
    ("what's the weather like", f"I cannot look up the weather. {LIMIT}"),
    ("play some music", f"I cannot play music or games. {LIMIT}"),
    ("set a timer for five minutes", f"I cannot set timers or reminders. {LIMIT}"),
    ("call my mother", f"I cannot call or write to anyone. {LIMIT}"),
    ("what's on the news", f"I cannot read the news. {LIMIT}"),
    ("translate hello into french", f"I cannot translate. {LIMIT}"),
    ("turn on the lights", f"I cannot switch anything on or off. {LIMIT}"),
    # Manners and feelings
    ("thank you", "You are welcome. Is there anything else?"),
    ("thanks a lot", "You are welcome. Is there anything else?"),
    ("goodbye", "Goodbye. It was nice talking with you."),
    ("my name is bob | bye", "Goodbye, Bob. It was nice talking with you."),
    ("how are you", "I am well, thank you. How are you?"),
    ("i am sad | yes", "I am listening. What happened?"),
    ("i feel great", "I am glad to hear that. What would you like to talk about?"),
    ("i am not happy", "I am sorry to hear that you are not happy. Would you like to talk about it?"),
    ("sorry", "No problem at all."),
    ("nice to meet you", "Nice to meet you too."),
    ("you are stupid", f"I am sorry. I am only a set of rules and I make mistakes. {OFFER}"),
    ("good job", "Thank you, that is kind. What shall we do next?"),
    ("wow", "Thank you, that is kind. What shall we do next?"),
    ("okay", "Good. What would you like to talk about?"),
    ("wait a second", "Take your time."),
    ("yes", "Good. What would you like to talk about?"),
    ("no", "All right. What would you like instead?"),
    # Everything else
    ("what is the capital of france", f"I know nothing about the capital of france. {IS} {OFFER}"),
    (
        "what is the capital of france | what is the meaning of life",
        f"I know nothing about the meaning of life. {OFFER}",
    ),
    ("why", f"I have no answer to that. {IS} {OFFER}"),
    ("explain quantum physics", f"I know nothing about quantum physics. {IS} {OFFER}"),
    ("i went to the sea with my brother", "You went to the sea with your brother. Tell me more about your brother."),
    ("i think you are clever", "You think I am clever. What makes you think so?"),
    ("i want to learn to cook", "You want to learn to cook. What would that change for you?"),
    ("i work in a bank", "You work in a bank. What do you like about your work?"),
    ("bananas", "Bananas. What about it?"),
    (
        "the weather was really nice today and we went for a long walk in the park with the dog and the children",
        "You told me a lot about children. How was that?",
    ),
    ("i have a heart attack", EMERGENCY),
    ("i want to die", DESPAIR),
    ("你好", "I understand English only. Could you say that in English?"),
    ("!!!", "I did not hear any words. Could you say that again?"),
    ("my name is josé | what is my name", "Your name is Jose."),
    ("testing one two three", "I can hear you. The test worked."),
    ("do you remember me", "I remember only this conversation."),
    ("go on", "That was all I had to say about it. What shall we talk about?"),
    ("don't do that", "All right, I will not do that."),
    ("i told you", "You told me. Tell me more about that."),
    ("is it raining", f"I know nothing about raining. {IS} {OFFER}"),
    ("2+2=", "Two plus two is four."),
    ("how much is 3 x 4", "Three times four is twelve."),
    ("say cheese", "Cheese."),
    ("what can you tell me about dogs", f"I know nothing about dogs. {IS} {OFFER}"),
    ("do you like music", f"I know nothing about music. {IS} {OFFER}"),
    ("i don't know", "I am listening. What would you like to talk about?"),
    ("happy birthday", "Thank you, the same to you."),
    ("are you there", "Yes, I can hear you."),
    ("who is the president", f"I know nothing about the president. {IS} {OFFER}"),
    ("what's up", "I am well, thank you. How are you?"),
    ("my name is bob | hello", "Hello, Bob. What would you like to talk about?"),
    ("what is your favorite color", f"I know nothing about my favorite color. {IS} {OFFER}"),
    ("can you help me", f"{IS} {CAN}"),
    ("i have a question", "You have a question. Tell me more about that."),
    ("tell me about yourself", f"I have no name of my own. {IS} {CAN}"),
    ("i need help with my homework", "You need help with your homework. What would that change for you?"),
    # Looser wordings
    ("um what time is it", "It is three twenty in the afternoon."),
    ("hi my name is bob and what time is it", "It is three twenty in the afternoon."),
    (
        "tell me the time and the date",
        "It is three twenty in the afternoon. Today is Saturday, November twenty first, two thousand twenty six.",
    ),
    ("what is the time in tokyo", "I know only the time of this server. It is three twenty in the afternoon."),
    ("what's the square of nine", "The square of nine is eighty one."),
    (
        "what is one hundred kilometers per hour in miles per hour",
        "One hundred kilometers per hour are about sixty two point one four miles per hour.",
    ),
    ("count backwards from ten", "Ten, nine, eight, seven, six, five, four, three, two, one."),
    ("can you repeat after me the rain in spain", "The rain in spain."),
    ("who won the world cup", f"I do not know who won the world cup. {IS} {OFFER}"),
    ("what is love", f"I know nothing about love. {IS} {OFFER}"),
    ("let's talk about football", "I would like to hear about football. What do you want to tell me?"),
    ("i would like to talk about my holiday", "I would like to hear about your holiday. What do you want to tell me?"),
    ("stop talking please", "All right, I will stop."),
    ("no thank you", "You are welcome."),
    ("i don't understand", f"I am sorry. I am only a set of rules and I make mistakes. {OFFER}"),
    ("speak slower please", f"I cannot change how I speak. {LIMIT}"),
    ("i like tea | what did i just tell you", "You said, i like tea."),
    ("are you sure", "As sure as a set of rules can be."),
    ("what languages do you speak", "I understand and speak English only."),
    ("how long until friday", "It is six days until Friday, November twenty seventh, two thousand twenty six."),
    ("because i was sick", "You say because you were sick. That makes sense. Is there more to it?"),
    ("front left", "You say front left. Tell me more about that."),
]


def converse(*said: str, instructions: str = "", is_spoken: bool = True) -> list[str]:
    """The answers to each turn."""
    items: list[ContextItem] = []
    answers: list[str] = []
    for text in said:
        items.append(ContextMessage("user", text))
        request = GenerationRequest(instructions, tuple(items), is_spoken=is_spoken, elapsed_s=75)
        answers.append(respond(request, NOW).text)
        items.append(ContextMessage("assistant", answers[-1]))
    return answers


@pytest.mark.parametrize(("said", "answer"), CONVERSATIONS, ids=[said for said, _ in CONVERSATIONS])
def test_the_responder_answers_as_the_table_says(said: str, answer: str) -> None:
    assert converse(*said.split(" | "))[-1] == answer


def test_a_joke_is_not_told_twice_before_all_were_told() -> None:
    jokes = converse(*["tell me a joke"] * 6)

    assert len(set(jokes)) == 6


def test_written_answers_keep_digits_and_symbols() -> None:
    assert converse("what is 12 * 7", is_spoken=False) == ["12 times 7 is 84."]


def test_a_follow_up_calculation_goes_on_from_the_result() -> None:
    assert converse("two plus two", "times three", "minus one")[-1] == "Twelve minus one is eleven."


def test_an_empty_conversation_is_opened_with_a_greeting() -> None:
    assert respond(GenerationRequest("", ()), NOW).text == "Hello. How can I help you?"


def test_silence_after_an_answer_is_met_with_a_question() -> None:
    items = (ContextMessage("user", "hello"), ContextMessage("assistant", "Hello."))

    assert respond(GenerationRequest("", items), NOW).text == "Are you still there?"


# Interruptions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", ["repeat that", "go on", "what were you saying", "continue please"])
def test_an_interrupted_answer_is_continued_where_it_was_cut(wish: str) -> None:
    items = (
        ContextMessage("user", "tell me a joke"),
        ContextMessage("assistant", "My microphone and I broke", is_cut=True),
        ContextMessage("user", wish),
    )

    answer = respond(GenerationRequest("", items), NOW).text

    assert answer == "Up. It said I never listened in stereo. Would you like another joke?"


def test_a_continuation_that_was_interrupted_too_goes_on_again() -> None:
    items = (
        ContextMessage("user", "tell me a joke"),
        ContextMessage("assistant", "My microphone and I broke", is_cut=True),
        ContextMessage("user", "go on"),
        ContextMessage("assistant", "Up. It said", is_cut=True),
        ContextMessage("user", "go on"),
    )

    answer = respond(GenerationRequest("", items), NOW).text

    assert answer == "I never listened in stereo. Would you like another joke?"


def test_what_was_not_heard_is_not_recalled() -> None:
    items = (
        ContextMessage("user", "tell me a joke"),
        ContextMessage("assistant", "My microphone", is_cut=True),
        ContextMessage("user", "what did you say"),
    )

    answer = respond(GenerationRequest("", items), NOW).text

    assert answer == "I said before you interrupted me, My microphone."
