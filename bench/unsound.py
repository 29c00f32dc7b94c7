"""What makes a measurement worthless."""


class Unsound(Exception):
    """Its text is the sentence that the suite prints and writes where the figure would be; the exit code is then 1."""
