"""What the tests of the governor speak of: a line, and what has left it."""

from worker.tiers import Bucket, Limits, Line

#: Milliseconds of a lease.
LEASE = 60_000


def line(limits="3/s 60/m", name="operation", *extra):
    return Line("a", (Bucket(name, Limits.parse(limits)), *extra))


def released(client, each=None):
    queue = (each or line()).queue
    found = [item.decode().removeprefix("message of ") for item in client.lrange(queue, 0, -1)[::-1]]
    client.delete(queue)
    return found
