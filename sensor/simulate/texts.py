"""What people write about products, and what spammers do: texts of the ones differ, those of the others do not."""

from random import Random

from sensor.simulate.shop import COLOURS, WORDS

SUBJECTS = (
    "The handle", "Its lid", "The seam", "This thing", "The packaging", "Delivery", "The colour", "Our old one", "The finish",
    "The manual", "The battery", "My daughter", "A neighbour", "The strap", "Customer service", "The zip", "The smell",
    "The size", "The fabric", "The bottom", "The screw", "Everything", "The print", "The second one",
)  # fmt: skip
VERBS = (
    "came loose after", "looks better than", "took longer than", "reminds me of", "arrived before", "did not survive",
    "works well with", "is heavier than", "cost less than", "got stuck in", "was replaced within", "fits into", "broke during",
    "surprised me after", "still shines after", "made less noise than", "feels cheaper than", "went missing in", "leaked onto",
    "held up through",
)  # fmt: skip
OBJECTS = (
    "two weeks of camping", "what the picture shows", "my kitchen drawer", "the first wash", "a rainy autumn",
    "the dishwasher", "the one my mother had", "our move to Leeds", "the children's birthday", "a long train ride",
    "the garden shed", "the back seat", "three cups of coffee", "the previous model", "a fall from the table",
    "the holidays", "a night outside", "my desk at work", "the instructions", "a whole semester", "the promised date",
    "half a year of daily use", "the balcony", "a marathon",
)  # fmt: skip
CLOSINGS = (
    "Would buy again.", "Not for me.", "Ask for the larger one.", "I sent it back.", "Good value though.", "Still happy.",
    "Shame about the price.", "My cat disagrees.", "Let us see how long it lasts.", "You get what you pay for.", "Five stars.",
    "Two stars are for the box.", "The old version was better.", "I am waiting for an answer.", "Recommended.", "",
)  # fmt: skip
NAMES = (
    "Anna",
    "Björn",
    "Chloe",
    "Dmitri",
    "Elif",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jamal",
    "Kirsten",
    "Luca",
    "Mina",
    "Noor",
)
MONEY = (
    "{hello} {name}, I was {moved} when I saw this! Last week I made {amount} dollars from home with a simple method, no "
    "experience needed. See how it works at {link} before they take it down. Regards, {sender}"
)
COPIES = (
    "{hello} {name}, {moved} customers tell us that cheap brand watches and bags from {link} are as good as the real ones. "
    "Worldwide shipping within {amount} hours, pay on delivery, write to {sender} for a discount."
)
PITCHES = (MONEY, COPIES)


def review(rng: Random) -> str:
    """What one person says of a product."""
    sentences = [f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}." for _ in range(rng.randint(1, 4))]
    return " ".join([*sentences, rng.choice(CLOSINGS)]).strip()


def pitch(rng: Random, which: int) -> str:
    """A spammer's text: the same one, with other names, amounts and links."""
    return PITCHES[which % len(PITCHES)].format(
        hello=rng.choice(("Hello", "Hi", "Hey")), name=rng.choice(NAMES), sender=rng.choice(NAMES),
        moved=rng.choice(("amazed", "stunned", "happy")), amount=rng.randint(12, 9_000),
        link=f"http://{rng.choice(COLOURS)}-{rng.choice(WORDS)}{rng.randint(1, 99)}.example/{rng.randint(1, 10**6)}",
    )  # fmt: skip
