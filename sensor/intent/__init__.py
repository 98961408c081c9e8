"""Who is behind a client: a person, a good bot or bad automation, from how it behaves.

sessions.py gathers what each actor does, features.py says it in numbers, model.py weighs them, actors.py tells.
"""
