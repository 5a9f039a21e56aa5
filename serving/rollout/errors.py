"""Why a command did not do what it was asked for."""


class Refused(Exception):
    """The command cannot or should not be done; the message is a sentence for people."""
