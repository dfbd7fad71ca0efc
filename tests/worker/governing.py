"""What the tests of the governor share: a line, publishing to it, answering, and what has been released."""

from worker.governor import Delivery, RequestEnd
from worker.tiers import QUEUES, Bucket, Limits, Line

#: How long a lease lasts, in milliseconds.
LEASE_MS = 60_000


def line(limits="3/s 60/m", name="operation", *extra):
    return Line("a", (Bucket(name, Limits.parse(limits)), *extra))


def released(client, each=None):
    queue = (each or line()).queue
    found = [item.decode().removeprefix("message of ") for item in client.lrange(queue, 0, -1)[::-1]]
    client.delete(queue)
    return found


def ref(each):
    return each.name, each.spec


def publish(governor, each, *names, lane="now", delay=0.0):
    return [bool(governor.wait(ref(each), lane, name, f"message of {name}", delay)) for name in names]


def answer(governor, name, **end):
    assert governor.claim(name, LEASE_MS, False, "holder").state == "ok"
    return governor.close_lease(name, RequestEnd(**{"used": True, **end}), "holder")


def redelivered(client, governor, each, name):
    """What happens to the message of a worker that died."""
    client.hset("unacked", "tag", "as it was popped")
    delivery = Delivery("unacked", "unacked_index", "tag")
    assert governor.restore(delivery, each.queue, ref(each), "now", name, f"message of {name}")


def known(governor, clock, each):
    """Past its probation, with an answer on record."""
    publish(governor, each, f"first of {each.name}")
    answer(governor, f"first of {each.name}")
    clock.wait(61)


def nobody_works(governor):
    """The only worker takes leave: what is published from here on waits."""
    governor.beat("worker", 0, [], 10)


def somebody_works(governor, clock):
    governor.beat("worker", 1_000, QUEUES, 10**6)
    clock.wait(0.1)
    governor.tick()


def parked(client, governor, each, name, delay=0.0, at_head=True, attempt=False):
    client.hset("unacked", name, f'[message of {name},"","{each.queue}"]')
    delivery = Delivery("unacked", "unacked_index", name)
    return governor.park(delivery, ref(each), "now", name, delay, at_head=at_head, attempt=attempt)


def bucket(governor):
    return governor.look()[0].buckets[0]
