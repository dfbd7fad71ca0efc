"""Where Redis is: an address that is read once, and spelled for each library that connects to it.

redis-py, kombu, Celery's result backend and Flower each read another dialect of the same URL, and each fails in its own
way on the others. Here one dialect, redis-py's, is read into a value, from which each gets what it understands.

Behind Sentinels or in a cluster the server to speak to changes, and each library would look for it in its own way. So
they are given the first node, as if it were a single server, and a class of connections that finds the right server
whenever it connects (`worker.redis.nodes`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

PORT, SENTINEL_PORT = 6379, 26379

#: The schemes of addresses that name several nodes, unencrypted and encrypted.
SENTINEL, CLUSTER = ("sentinel", "sentinels"), ("cluster", "clusters")
SCHEMES = ("redis", "rediss", "unix", *SENTINEL, *CLUSTER)
ENCRYPTED = ("rediss", "sentinels", "clusters")

#: The shortest timeout: a worker's connection is silent for a quarter of a second while it waits for messages.
SHORTEST_S = 1.0

UNENCODED = "a user name or password in it must be percent-encoded: / is %2F, ? is %3F, # is %23, @ is %40, % is %25"


def _whole(least: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdigit()) or int(value) < least:
            raise ValueError(f"must be a whole number from {least} on")
        return int(value)

    return read


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not SHORTEST_S <= seconds < float("inf"):
        raise ValueError(f"must be a number of seconds, {SHORTEST_S:g} at least")
    return seconds


def _one_of(**words: Any) -> Callable[[str], Any]:
    def read(value: str) -> Any:
        if value.lower() not in words:
            raise ValueError(f"must be {', '.join(list(words)[:-1])} or {list(words)[-1]}")
        return words[value.lower()]

    return read


def _protocol(value: str) -> int:
    if value not in ("2", "3"):
        raise ValueError("must be 2 or 3")
    return int(value)


def _certificates(value: str) -> str:
    """How the server's certificate is checked, in either of the spellings that are in use."""
    read = _one_of(required="required", optional="optional", none="none")
    checked: str = read(value.lower().removeprefix("cert_"))
    return checked


#: What may stand in an address's query, and how each is read.
OPTIONS: dict[str, Callable[[str], Any]] = {
    "db": _whole(0),
    "protocol": _protocol,
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    "health_check_interval": _whole(0),
    "ssl_cert_reqs": _certificates,
    "ssl_ca_certs": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_check_hostname": _one_of(true=True, false=False, yes=True, no=False, **{"1": True, "0": False}),
    "sentinel_username": str,
    "sentinel_password": str,
}

#: Options that name files.
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A Redis server, and how to connect to it.

    ``path`` is that of a unix socket; if there is one, ``host`` and ``port`` mean nothing. ``options`` are those of the
    query, except the database. ``nodes`` are the Sentinels that know where ``primary`` is, or nodes of a cluster, of
    which ``host`` and ``port`` name the first; a single server has none. ``replicas``: how many of them have to confirm
    what must be safe.
    """

    host: str = "localhost"
    port: int = PORT
    path: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    options: tuple[tuple[str, Any], ...] = ()
    nodes: tuple[tuple[str, int], ...] = ()
    primary: str = ""
    replicas: int = 0
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)

    @property
    def cluster(self) -> bool:
        """Whether it is a cluster."""
        return bool(self.nodes) and not self.primary

    @property
    def url(self) -> str:
        """The address without credentials and options: `keywords` has them. For redis-py, RedBeat and people."""
        return self._spelled("")

    @property
    def shown(self) -> str:
        """The address as it may be shown anywhere."""
        hidden = "**" if self.password else ""
        if not self.nodes:
            return self._spelled(hidden, self.username)
        who = f"{self.username or ''}:{hidden}@" if self.username or hidden else ""
        kind = (CLUSTER if self.cluster else SENTINEL)[self.tls]
        where = ",".join(_host_and_port(*node) for node in self.nodes)
        return f"{kind}://{who}{where}/{'' if self.cluster else f'{self.primary}/'}{self.db}"

    @property
    def keywords(self) -> dict[str, Any]:
        """What `redis.Redis.from_url` takes beside `url`."""
        credentials = {"username": self.username, "password": self.password}
        return {**{name: value for name, value in credentials.items() if value}, **dict(self.options)}

    @property
    def ssl(self) -> dict[str, Any]:
        """The options of TLS, by redis-py's names."""
        return {name: value for name, value in self.options if name.startswith("ssl_")}

    @property
    def dialect(self) -> dict[str, int]:
        """The version of the protocol, if one is given."""
        return {name: value for name, value in self.options if name == "protocol"}

    @property
    def timing(self) -> dict[str, float]:
        """The timeouts that are given, by redis-py's names, which kombu's transport options share."""
        return {name: value for name, value in self.options if name not in self.ssl and name != "protocol"}

    @property
    def broker_url(self) -> str:
        """The address as kombu spells it, with everything that kombu reads from a URL: database, credentials, TLS."""
        tls = {name: value if isinstance(value, str) else str(value).lower() for name, value in self.ssl.items()}
        return self._for_celery(tls)

    @property
    def result_url(self) -> str:
        """The address as Celery's result backend spells it; it takes `ssl` and `timing` as settings of Celery."""
        return self._for_celery(self.dialect)

    def _for_celery(self, query: dict[str, Any]) -> str:
        if self.path:
            return f"redis+socket://{quote(self.path)}?{urlencode({'virtual_host': self.db, **query})}"
        said = f"?{urlencode(query)}" if query else ""
        return self._spelled(quote(self.password or "", safe=""), self.username) + said

    def _spelled(self, password: str, username: str | None = None) -> str:
        if self.path:
            return f"unix://{quote(self.path)}?db={self.db}"
        who = f"{quote(username or '', safe='')}:{password}@" if username or password else ""
        return f"{'rediss' if self.tls else 'redis'}://{who}{_host_and_port(self.host, self.port)}/{self.db}"


def _host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse(url: str) -> RedisAddress:
    """Read an address.

    Raises:
        ValueError: what is wrong, in one sentence that shows nothing of the address but names of options.

    """
    try:
        parts = _split(url)
        nodes = _nodes(parts)
    except ValueError:  # its text may show the password
        raise ValueError(f"its host and port cannot be read; {UNENCODED}") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"it must begin with {'://, '.join(SCHEMES[:-1])}:// or {SCHEMES[-1]}://")
    if parts.scheme == "unix":
        _refuse_no_socket(parts)
    elif "@" in f"{parts.path}{parts.query}{parts.fragment}" or parts.fragment:
        raise ValueError(UNENCODED)
    options = _options(parts)
    primary, db = _primary(parts), _database(parts, options.pop("db", None))
    if parts.scheme == "unix":
        return RedisAddress(path=unquote(parts.path), db=db, options=tuple(options.items()))
    if db and parts.scheme in CLUSTER:
        raise ValueError("a cluster has one database only, 0")
    if parts.scheme in ENCRYPTED:
        options.setdefault("ssl_cert_reqs", "required")
    several = parts.scheme in (*SENTINEL, *CLUSTER)
    who = {name: options.pop(name, None) for name in ("sentinel_username", "sentinel_password")}
    return RedisAddress(
        *nodes[0],
        db=db,
        username=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None,
        tls=parts.scheme in ENCRYPTED,
        options=tuple(options.items()),
        nodes=nodes if several else (),
        primary=primary,
        **who,
    )


def _split(url: str) -> SplitResult:
    """The parts of an address.

    If there are several hosts, `_nodes` reads each by itself: newer Pythons refuse one in brackets behind another.
    """
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in (*SENTINEL, *CLUSTER):
        return urlsplit(url)
    where = re.split("[/?#]", rest, maxsplit=1)[0]
    return urlsplit(f"{scheme}://{rest.removeprefix(where)}")._replace(netloc=where)


def _nodes(parts: SplitResult) -> tuple[tuple[str, int], ...]:
    """The hosts and ports that an address names: one, unless it is that of Sentinels or of a cluster."""
    several = parts.scheme in (*SENTINEL, *CLUSTER)
    default = SENTINEL_PORT if parts.scheme in SENTINEL else PORT
    where = parts.netloc.rpartition("@")[2]
    each = [urlsplit(f"//{node}") for node in (where.split(",") if several else [where])]
    return tuple((unquote(node.hostname or "localhost"), node.port or default) for node in each)


def _primary(parts: SplitResult) -> str:
    """The name under which Sentinels know the primary."""
    name = unquote(parts.path.removeprefix("/").partition("/")[0]) if parts.scheme in SENTINEL else ""
    if parts.scheme in SENTINEL and not name:
        raise ValueError(
            "the primary's name comes after the Sentinels, as in sentinel://host:26379,host:26379/mymaster/0"
        )
    return name


def _refuse_no_socket(parts: SplitResult) -> None:
    if "@" in f"{parts.netloc}{parts.query}":
        raise ValueError("a unix socket with a password is not supported; protect it by the rights of its folder")
    if parts.netloc or not parts.path.strip("/"):
        raise ValueError("a unix socket is given by its absolute path: unix:///run/redis.sock?db=0")


def _options(parts: SplitResult) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in OPTIONS:
            raise ValueError(f"{name!r} is not an option of such an address; {_advice(name)}")
        if name in found:
            raise ValueError(f"{name} is given twice")
        if name.startswith("ssl_") and parts.scheme not in ENCRYPTED:
            raise ValueError(
                f"{name} needs an address that begins with {'://, '.join(ENCRYPTED[:-1])}:// or clusters://"
            )
        if name.startswith("sentinel_") and parts.scheme not in SENTINEL:
            raise ValueError(f"{name} needs an address that begins with sentinel:// or sentinels://")
        if not value:
            raise ValueError(f"{name} has no value")
        try:
            found[name] = OPTIONS[name](value)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None
    return found


def _advice(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), OPTIONS, n=1)
    return f"did you mean {near[0]}?" if near else f"the options are {', '.join(sorted(OPTIONS))}"


def _database(parts: SplitResult, asked: int | None) -> int:
    """The database, which may stand in the path, in the query, or in both if they agree."""
    path = parts.path.removeprefix("/") if parts.scheme != "unix" else ""
    if parts.scheme in SENTINEL:
        path = path.partition("/")[2]
    if not path:
        return asked or 0
    if not (path.isascii() and path.isdigit()):
        raise ValueError("the database after the host must be a whole number, as in redis://host:6379/0")
    if asked not in (None, int(path)):
        raise ValueError("its path names one database and its option db another")
    return int(path)
