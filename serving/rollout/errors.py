"""The error of a command that is refused."""


class Refused(Exception):
    """The command cannot or should not be done; the message is a sentence for people."""
