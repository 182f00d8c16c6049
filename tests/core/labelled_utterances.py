"""What people say to a voice assistant, on the phone and in practice interviews, by whether they have finished.

Lower case and without punctuation, as the embedded recogniser writes. The rules were written with the first half of
each list in view; the second half (`HELD_OUT`) was written before them and only measured.
"""

import msgspec


class Labelled(msgspec.Struct, frozen=True):
    """An utterance and whether its speaker has finished."""

    text: str
    is_complete: bool


SEEN_COMPLETE = """
what time is it
hello my name is peter
what is twelve times seven
tell me a joke please
what day is it today
how long have we talked
i live in london and i like music
what did i say first
thank you very much
yes
no thanks
stop
okay
that's right
of course
turn the light on
switch it off
can you help me
could you please speak more slowly
i would like a cup of coffee
where are you from
what are you looking for
who are you talking to
what is it about
set a timer for ten minutes
remind me to call my mother tomorrow
how do i get to the station
i don't know
i think so
never mind
yes i do
no i haven't
do you know what time it is
tell me how old you are
if it rains tomorrow we will stay at home
when does the train leave
when i was a child we lived in the country
because i was tired
i worked there for six years and then i moved to berlin
my greatest strength is that i listen to people
how much does it cost
i want to go home
play some music
call me back later
what's the weather like
i am fine thanks
let's start again
can you say that again
it doesn't work
seven thirty
nobody told me about it
i'll think about it
why not
is that all
good morning
see you tomorrow
i have two brothers and a sister
could you tell me when the next bus comes
that sounds great
he said that he would come
""".strip().splitlines()

SEEN_INCOMPLETE = """
i want to
i would like to
can you
what is the
tell me about
tell me a
i was thinking about the
my name is
because
and then i
um
well i think that
set a timer for
remind me to
i live in
if it rains tomorrow
when i was a child
the reason is that
do you know if
i went to the shop and
could you please
how do i
i'm looking for a
he said that
i would like a cup of
my phone number is
let me see
it's a very
we were going to
i don't really
so basically
what i mean is
on the other hand
i have been working with
the first thing that i
and um
i need some
where is my
there are
she told me that she was
you should have
as soon as i get home
is there a
please call my
turn off the
i used to work for the
how many
what kind of
it depends on
after that we
i would say that my greatest strength is
but
although it was late
the weather in
i'd like to book a table for two at
can i have the
they're going to be
we could either go to the park or
what happens if
yesterday i saw my old
""".strip().splitlines()

HELD_COMPLETE = """
what is your name
how are you today
i'm not sure
please repeat that
tell me something about yourself
i am calling about my bill
my flight leaves at nine
who wrote that book
are you there
is it going to rain tomorrow
open the window
turn it up
go on
next question please
good night
sorry i didn't hear you
i used to play the piano
what should i wear
where did you put my keys
whose turn is it
show me the list
that's what i thought
nothing
maybe later
absolutely
it was a long day
what a pity
i studied physics in vienna
we had a lot of fun
i want two tickets for tonight
you are very kind
no i don't think so
yes please
make it louder
what's on my calendar
they arrived an hour ago
can i ask you something
the answer is forty two
i've never been there before
it's ten past four
give me an example
did you get my message
the meeting is over
i need help with my homework
when you are ready we can begin
while you were out somebody called
unless you hurry we will be late
i left because i wanted to learn something new
he is taller than me
put milk on the shopping list
that is not what i meant
i can hear you
what are you doing
which one is better
it's on the table
how far is it from here
i'm done
let me know when you are finished
that would be nice
i don't like it
""".strip().splitlines()

HELD_INCOMPLETE = """
what is your
how are
i'm not
please tell me
tell me something about
i am calling because
my flight leaves at
who wrote the
are there any
is it going to
open the
go to the next
i'm sorry i didn't
i used to play the
what should
where did you put the
it was a
what i really like about
i studied physics at the university of
we had a lot of
i want two tickets for
you are so
no i don't think that
yes but
make it a bit
they arrived with
can i ask you about
the answer is
i've never
it's between
give me an
did you get the
the meeting is on
i need help with
when you are ready
while you were out
unless you hurry
i left because
he is taller than
put milk and
that is not
i can't
what are the
which of
once i have finished
how far is it from
so i was like
uh
you know
actually i would rather
my mother and my
between monday and
if you
in the end it was just
i was born in
every
could you send the letter to
would you mind if i
one more thing about the
the problem with
""".strip().splitlines()

SEEN = tuple(
    Labelled(text, is_complete)
    for texts, is_complete in ((SEEN_COMPLETE, True), (SEEN_INCOMPLETE, False))
    for text in texts
)
HELD_OUT = tuple(
    Labelled(text, is_complete)
    for texts, is_complete in ((HELD_COMPLETE, True), (HELD_INCOMPLETE, False))
    for text in texts
)
# Numbers and names that are read out: more may follow, nobody can tell from the words.
READ_OUT = (
    "five five five",
    "zero four one seven",
    "p e t",
    "four nine two one",
    "it's oh seven nine",
    "my number is three five eight",
    "b r o w",
    "the code is one nine",
)
