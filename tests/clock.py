"""The time that a test passes to a script of Redis's."""


class Clock:
    def __init__(self):
        self.ms = 1_700_000_000_000

    def __call__(self):
        return self.ms

    def wait(self, seconds):
        self.ms += int(seconds * 1000)
