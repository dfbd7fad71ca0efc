"""Celery's Redis transport with a pop that loses nothing, and publishing into the governor's waiting lists.

Three things differ from kombu's: a message is taken and recorded as unacknowledged atomically, which claims its lease
too (kombu pops, then records, and a worker killed in between loses the message); a message of an action goes to its
waiting list instead of its queue; and a worker refreshes what it holds, so that the visibility timeout can be short and
never applies to a worker that lives.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from queue import Empty
from typing import Any

import kombu
from celery.app import amqp as celery_amqp
from celery.utils.log import get_logger
from kombu.transport import redis as stock
from kombu.transport import virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads
from kombu.utils.url import url_to_parts
from redis.exceptions import NoScriptError

from worker.governor import (
    ALONE,
    EVEN_IF_FULL,
    KEY_PREFIX,
    Delivery,
    Expiry,
    Together,
    get_governor,
    get_publishing_governor,
    script_of,
    take_command,
)
from worker.message_headers import HEADER
from worker.process import prefetched_leases
from worker.process.state import acknowledged_by_redis, closing, left_behind, working
from worker.publishing import published
from worker.redis.address import PORT, RedisAddress
from worker.redis.connection import Parser, get_redis
from worker.redis.elsewhere import at
from worker.redis.nodes import connection_class, primary_met
from worker.redis.patience import asking_redis_once
from worker.settings import get_settings
from worker.tiers import Line, is_line, is_together

logger = get_logger(__name__)


#: Seconds that an idle worker sleeps unless woken. Messages of foreign publishers do not wake it.
IDLE_S = 0.25

#: Most messages taken at once: Celery's loop, not Redis, is the bottleneck.
MAX_MESSAGES_PER_POP = 8

#: A message goes back to wait this many seconds after its worker's last refresh; and seconds between refreshes.
VISIBILITY_S, REFRESH_INTERVAL_S = 15, 3

#: First lines of kombu's script that is told of keys by arguments: in a cluster each key has a tag.
TAG_ARGUMENTS = """
local tag = KEYS[1]:match('^{[^}]*}:') or ''
ARGV[1], ARGV[2] = tag .. ARGV[1], tag .. ARGV[2]
"""

#: Keys of our own: other Celery applications on the same Redis count a message as abandoned after another time.
UNACKED, UNACKED_INDEX = f"{KEY_PREFIX}unacked", f"{KEY_PREFIX}unacked_index"

#: Where Celery keeps the result of a task, before its id.
RESULT_PREFIX = "celery-task-meta-"

#: Milliseconds for which a lease that was claimed with the pop holds: until a thread has taken up the message, and the
#: next refresh has prolonged the lease. If a worker is killed, the tasks that it had not begun go on after that time.
PREFETCHED_LEASE_MS = int((prefetched_leases.FRESH_S + VISIBILITY_S) * 1000)

OPTIONS = {
    "unacked_key": UNACKED,
    "unacked_index_key": UNACKED_INDEX,
    "unacked_mutex_key": f"{KEY_PREFIX}unacked_mutex",
    "unacked_mutex_expire": 10,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "unacked_restore_limit": 1_000,
    "visibility_timeout": VISIBILITY_S,
    "socket_keepalive": True,
    # Seconds without an answer to a pop after which a connection counts as dead: some addresses drop packets silently.
    "health_check_interval": 3,
}


def header(
    line: Line,
    lane: str,
    delay: float = 0.0,
    expires: Expiry | None = None,
    blindly: bool = False,
    together: Together = ALONE,
) -> dict[str, Any]:
    """The value of `HEADER` for a task of this line; ``delay`` in seconds.

    ``since`` is the moment from which the task is wanted, by this machine's clock: it stays with the message, so that
    a look at the waiting lists shows how long the oldest has waited.
    """
    since = round(time.time() + delay, 3)
    value: dict[str, Any] = {"line": line.name, "spec": line.spec, "lane": lane, "delay": delay, "since": since}
    if blindly:
        value["blindly"] = True
    if together != ALONE:
        value["together"] = together
    return {**value, "expires": [expires.seconds, expires.absolute]} if expires else value


def together_of(wait: Mapping[str, Any]) -> Together:
    """What a `HEADER` says of how its task travels; whatever is none of ours goes alone."""
    pair = wait.get("together")
    return (pair[0], pair[1]) if isinstance(pair, list | tuple) and is_together(pair) else ALONE


class QoS(stock.QoS):
    """Acknowledgement of messages that were recorded when they were taken."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: By delivery tag: the task, the key of its result ("" if nobody wants one), and the primary it was taken from.
        self._primaries: dict[str, tuple[str, str, str]] = {}

    def append(self, message: Any, delivery_tag: str) -> None:
        """Remember a delivery, where its result will be, and which primary it was taken from."""
        virtual.QoS.append(self, message, delivery_tag)
        if primary := primary_met(get_settings().redis):
            task_id = str(message.headers.get("id") or "")
            result_key = "" if message.headers.get("ignore_result") else RESULT_PREFIX + task_id
            self._primaries[delivery_tag] = task_id, result_key, primary

    def ack(self, delivery_tag: str) -> None:
        """Forget a delivery: its task is over. Any thread may call it, even when its channel has long been closed.

        Raises:
            redis.ConnectionError: Redis is away; the delivery is still on record.

        """
        if delivery_tag in acknowledged_by_redis:
            acknowledged_by_redis.discard(delivery_tag)
        elif taken := self._primaries.get(delivery_tag):
            self._acknowledge_at(*taken, delivery_tag)
        else:
            self.drop([delivery_tag])
        self._primaries.pop(delivery_tag, None)
        virtual.QoS.ack(self, delivery_tag)

    def _acknowledge_at(self, task_id: str, result_key: str, primary: str, delivery_tag: str) -> None:
        delivery = Delivery(self.unacked_key, self.unacked_index_key, delivery_tag)
        if not get_governor().acknowledge(delivery, task_id, result_key, primary):
            logger.info("Task %s ended while another server became the primary: it will be delivered again.", task_id)
            if primary_met(get_settings().redis) != primary:
                # Not as a second delivery, which Celery passes over, with what follows it, where the first succeeded.
                self._put_back(delivery_tag, redelivered=False)

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Put back what this worker holds when it stops.

        When only the connection is lost, its threads are still at work on it; what they do not acknowledge goes back
        to wait by itself.
        """
        self._on_collect.cancel()
        if closing.is_set():
            with asking_redis_once():
                prefetched_leases.return_all(get_governor())
            super().restore_unacked_once(stderr)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Put back one delivery atomically: kombu's transaction loses it where Redis is full."""
        self._put_back(tag, redelivered=True)

    def _put_back(self, tag: str, redelivered: bool) -> None:
        stored: Any = get_redis().hget(self.unacked_key, tag)
        try:
            message, _, queue = loads(bytes_to_str(stored)) if stored else ({}, "", "")
            headers, properties = message.get("headers", {}), message.get("properties", {})
            headers["redelivered"] = redelivered
            properties.setdefault("delivery_info", {})["redelivered"] = redelivered
        except (ValueError, TypeError, AttributeError):
            # Left where it is, it would keep all behind it from being put back.
            logger.error("A message that a worker held when it died was dropped: it is not one of Celery's.")
            self.drop([tag])
            return
        found = headers.get(HEADER)
        wait = found if isinstance(found, dict) else {}
        # Another publisher's header may only look like ours: a worker finds out what becomes of such a task.
        ours = is_line(wait.get("line"), wait.get("spec")) and wait.get("lane") in ("now", "bulk")
        delivery = Delivery(self.unacked_key, self.unacked_index_key, tag)
        line, lane = ((wait["line"], wait["spec"]), wait["lane"]) if ours else (None, "")
        together = together_of(wait) if ours else ALONE
        task_id = id if isinstance(id := headers.get("id"), str) else ""
        get_governor().restore(delivery, queue, line, lane, task_id, dumps(message), together)

    def drop(self, tags: list[str]) -> None:
        """Remove the records of deliveries that nobody will acknowledge."""
        pipe = get_redis().pipeline(transaction=False)
        pipe.zrem(self.unacked_index_key, *tags)
        pipe.hdel(self.unacked_key, *tags)
        pipe.execute()

    def refresh(self) -> None:
        """Show that this worker lives and still holds its messages."""
        tags = [tag for tag in list(self._delivered) if tag not in left_behind]
        if begun := prefetched_leases.begun(tags):
            get_governor().hold(self.unacked_index_key, begun, get_settings().lease_ms)

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Put back what nobody has refreshed in time, by Redis's clock: kombu's way goes by this machine's.

        No lock is needed: `restore_by_tag` puts each back once, whoever else is at it.
        """
        for tag in get_governor().abandoned(self.unacked_index_key, self.visibility_timeout, num):
            self.restore_by_tag(tag)


class Channel(stock.Channel):
    """A channel whose deliveries are crash-safe and whose publishing knows the waiting lists."""

    QoS = QoS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._sync: tuple[Any, Any] | None = None
        self._script_sha = ""
        self._sleeping = False
        self._tag = f"{uuid.uuid4()}."
        self._tags = count()
        if found := connection_class(get_settings().redis):
            self.connection_class = self.connection_class_ssl = found
        super().__init__(*args, **kwargs)

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        client: Any = self.connection.client
        # kombu knows no option for it.
        dialect = {name: value for name, value in client.transport_options.items() if name == "protocol"}
        return {**super()._connparams(asynchronous), **dialect, "parser_class": Parser}

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Any:
        """One client for a pool's life: kombu makes a new one, 0.2 ms each, for every command."""
        if client:
            yield client
            return
        if self._sync is None or self._sync[0] is not self.pool:
            self._sync = self.pool, self._create_client()
        yield self._sync[1]

    def decode_body(self, body: Any, encoding: str | None = None) -> Any:
        """Decode a message's body; an empty one if it is broken, which the consumer then reports."""
        try:
            return super().decode_body(body, encoding)
        except (LookupError, TypeError, ValueError):
            return b""

    def _brpop_start(self, timeout: float | None = None) -> None:
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        connection = self.client.connection
        self._in_poll = connection
        self._brpop_sent_at = time.monotonic()
        pop = self._pop(queues)
        try:
            connection.send_command(*pop)
        except self.connection_errors:
            if working.is_set():
                raise  # its loop connects anew
            # A command of remote control awaits answers, and Redis was restarted since the one before: kombu's next
            # round connects anew.
            connection.disconnect()
            self._in_poll = None

    def _pop(self, queues: list[str]) -> tuple[Any, ...]:
        """Return the command that takes messages, or waits until there is something to take."""
        wakes = [f"{KEY_PREFIX}wake:{queue}" for queue in queues]
        if self._sleeping:
            return ("BRPOP", *wakes, IDLE_S)
        if not self._script_sha:
            with self.conn_or_acquire() as client:
                self._script_sha = client.script_load(script_of("take"))
        lists = [self._q_for_pri(queue, step) for step in self.priority_steps for queue in queues]
        self._popped_as = f"{self._tag}{next(self._tags)}"
        most = min(self.qos.can_consume_max_estimate() or MAX_MESSAGES_PER_POP, MAX_MESSAGES_PER_POP)
        pop = Delivery(self.unacked_key, self.unacked_index_key, self._popped_as)
        operation, *arguments = take_command(pop, PREFETCHED_LEASE_MS, most, lists, wakes)
        return ("EVALSHA", self._script_sha, 1, KEY_PREFIX, operation, "", *arguments)

    def _brpop_read(self, **options: Any) -> bool:
        try:
            try:
                answer = self.client.parse_response(self.client.connection, "EVALSHA", **options)
            except NoScriptError:  # Redis was restarted or flushed
                self._script_sha = ""
                raise Empty from None
            except self.connection_errors:
                self._script_sha, self._sleeping = "", False
                self.client.connection.disconnect()
                raise
            if self._sleeping or not answer:
                self._sleeping = not self._sleeping
                raise Empty
            unowned = []
            taken = zip(answer[::3], answer[1::3], answer[2::3], strict=True)
            for number, (key, raw, claimed) in enumerate(taken, start=1):
                queue = bytes_to_str(key).rsplit(self.sep, 1)[0]
                self._queue_cycle.rotate(queue)
                # A new tag for every delivery: an acknowledgement from a worker that was taken for dead must not
                # reach the copy that somebody else is working on.
                tag = f"{self._popped_as}:{number}"
                if claimed:
                    prefetched_leases.remember_lease(tag, bytes_to_str(claimed))
                try:
                    message = loads(bytes_to_str(raw))
                    message["properties"]["delivery_tag"] = tag
                except (ValueError, KeyError, TypeError):
                    logger.error("A message in queue %s was dropped: it is not one of Celery's.", queue)
                else:
                    self.connection._deliver(message, queue)
                if tag not in (self.qos._delivered or ()):
                    # Replies to `inspect` are consumed without acknowledgement.
                    unowned.append(tag)
            if unowned:
                self.qos.drop(unowned)
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        # What a worker publishes works off what waits: Redis takes it even when full.
        urgent = working.is_set()
        governor = get_governor() if urgent else get_publishing_governor()
        headers = message.get("headers") or {}
        if wait := headers.get(HEADER):
            line = (wait["line"], wait["spec"])
            expires = Expiry(*wait["expires"]) if wait.get("expires") else None
            how = (wait["delay"], expires, urgent, together_of(wait))
            governor.wait(line, wait["lane"], headers["id"], dumps(message), *how)
            return
        list_key = self._q_for_pri(queue, self._get_message_priority(message, reverse=False))
        governor.put(list_key, queue, headers.get("id") or "", dumps(message), urgent)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Bind a queue even if Redis is full: a worker must start there too, to work off what fills it."""
        if queue in self._expires:
            super()._queue_bind(exchange, routing_key, pattern, queue)
            return
        if self.typeof(exchange).type == "fanout":
            self._fanout_queues[queue] = exchange, routing_key.replace("#", "*")
        tables = [name % (exchange,) for name in (self.keyprefix_queue, self.keyprefix_binding_permanent)]
        get_governor().bind(self.sep.join([routing_key or "", pattern or "", queue or ""]), tables)

    @cached_property
    def _refresh_binding(self) -> Any:
        return self._create_client().register_script(EVEN_IF_FULL + stock.REFRESH_BINDING)

    @cached_property
    def _sweep_bindings(self) -> Any:
        return self._create_client().register_script(TAG_ARGUMENTS + stock.SWEEP_BINDINGS)

    def _purge(self, queue: str) -> int:
        """Drop what is in a queue and what waits for it, and return how many tasks those were."""
        return int(super()._purge(queue)) + get_governor().purge(queue)

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        self.qos.restore_by_tag(message.delivery_tag)


class Transport(stock.Transport):
    """The Redis transport with such channels."""

    Channel = Channel


class Ours:
    """A connection that uses `Transport` under the name of the stock one, which other programs know.

    The setting ``broker_transport`` would do, but a unix socket's URL (``redis+socket://``) overrules it.
    """

    def get_transport_cls(self) -> type[Transport]:
        """The transport, whatever the URL says."""
        return Transport

    def as_uri(self, include_password: bool = False, mask: str = "**", **kwargs: Any) -> str:
        """Return its address, spelled as in ``KLAVIYO_REDIS_URL`` unless a program asks for the whole URL."""
        if include_password:
            whole: str = super().as_uri(include_password=True, mask=mask, **kwargs)
            return whole
        if get_settings().redis.nodes:
            return get_settings().redis.shown
        if self.uri_prefix:
            parts = url_to_parts(self.hostname)
            return RedisAddress(path=f"/{parts.path}", db=int(parts.query.get("virtual_host", 0))).shown
        return RedisAddress(
            host=self.hostname or "localhost",
            port=self.port or PORT,
            db=int(str(self.virtual_host).strip("/") or 0),
            username=self.userid,
            password=self.password,
            tls=bool(self.ssl),
        ).shown


class PooledConnection(Ours, kombu.connection.PooledConnection):
    """A connection of a pool."""


class Pool(kombu.connection.ConnectionPool):
    """A pool of such connections: kombu's makes its own kind."""

    def new(self) -> Any:
        """One more connection."""
        return PooledConnection(self, **dict(self.connection._info(resolve=False)))


class Connection(Ours, kombu.Connection):
    """A connection that waits for Redis as a worker has to."""

    def Pool(self, limit: int | None = None, **kwargs: Any) -> Pool:
        """A pool of such connections. Everything that is published goes through one."""
        return Pool(self, limit, **kwargs)

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Connect, and while Redis is away try every second: kombu's own pauses grow to half a minute."""
        return super().ensure_connection(
            *args, **{"interval_start": 0.5, "interval_step": 0.5, "interval_max": 1, **kwargs}
        )


class AMQP(celery_amqp.AMQP):
    """Celery's messaging, over such connections."""

    Connection = Connection

    def _retry_publish(self, publish: Any, *args: Any, **kwargs: Any) -> Any:
        """Publish what follows a task, however long that takes: a chord's body that is given up fails."""
        return published(lambda: super(AMQP, self)._retry_publish(publish, *args, **kwargs))


class OwnAMQP(AMQP):
    """The messaging of this process's own application, which is used within blocks of another Redis, too."""

    @property
    def producer_pool(self) -> Any:
        """The producers of this process's Redis: Celery keeps those of the first connection that it makes for them."""
        with at(None):
            return super().producer_pool
