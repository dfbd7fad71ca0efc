"""Settings from the environment: prefix ``KLAVIYO_``, nested by ``__``, from a ``.env`` file too."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as NotJson

from worker.errors import SettingsError
from worker.one_per_process import one_per_process
from worker.redis.address import FILES, OPTIONS, RedisAddress, parse
from worker.redis.elsewhere import MAIN, elsewhere
from worker.setting_names import SETTING_PREFIX, meant, misspelled
from worker.setting_names import alias_of as alias_of

#: Settings that `klaviyo up` writes for what it runs in this folder; it exists only while that runs.
RUNNING = Path(".klaviyo/up.env")


def _sendable(value: SecretStr) -> SecretStr:
    """Return a key that fits into a header: a mounted secret ends with a newline, a pasted one may hide a blank."""
    key = value.get_secret_value().strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("it holds a character that no key has; copy it again")
    return SecretStr(key)


def _known_zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("this is not a time zone: give an IANA name such as Europe/Berlin") from None


#: Fewer characters hold no 256 bits of chance.
SECRET_KEY_CHARACTERS = 32


def _long_enough(value: SecretStr) -> SecretStr:
    if any(len(key.strip()) < SECRET_KEY_CHARACTERS for key in value.get_secret_value().split(",")):
        raise ValueError(
            f"each key needs {SECRET_KEY_CHARACTERS} characters at least, made at random, and a comma to the next"
        )
    return value


ApiKey = Annotated[SecretStr, AfterValidator(_sendable)]
SecretKeys = Annotated[SecretStr, AfterValidator(_long_enough)]
Zone = Annotated[str, AfterValidator(_known_zone)]

#: How many shares of the workers' slots an account has, while others want some, too.
Weight = Annotated[int, Field(ge=1, le=1000)]


class AccountSettings(BaseModel):
    """What is set for one more Klaviyo account."""

    model_config = ConfigDict(extra="forbid")  # a misspelled TIMEZONE must not pass for none

    api_key: ApiKey | None = Field(None, description="its private API key")
    company_id: str | None = Field(None, description="its public company id, for /client actions")
    timezone: Zone | None = Field(None, description="the zone of its schedule")
    conversion_metric: str | None = Field(None, description="the metric whose events its reports count as conversions")
    redis: Annotated[str, AfterValidator(alias_of)] | None = Field(None, description="the Redis that it lives on")
    weight: Weight = Field(1, description="its shares of the workers, beside 1 of any other account")


class PushSettings(BaseModel):
    """What is pushed from a source to Klaviyo again and again."""

    model_config = ConfigDict(extra="forbid")  # a misspelled DELETE must not pass for none

    kind: Literal["profiles", "events", "catalog_items", "catalog_variants", "catalog_categories"]
    source: str = Field(repr=False)  # a query may say more than it seems
    database_url: SecretStr | None = None
    map: str | list[str] = Field(default_factory=list, validate_default=True)
    fixed: dict[str, Any] = Field(default_factory=dict)
    time_zone: str | None = None
    country: str | None = None
    dates: Literal["day-first", "month-first"] | None = None
    decimals: Literal["decimal-comma", "decimal-point"] | None = None
    delete: Literal["none", "missing"] = "none"
    account: str = "default"
    schedule: str | None = None

    @field_validator("map")
    @classmethod
    def _listed(cls, value: str | list[str]) -> list[str]:
        return [each.strip() for each in value.split(",")] if isinstance(value, str) else value


class Settings(BaseSettings):
    """Everything that can be set. The README's table is printed from here."""

    model_config = SettingsConfigDict(
        env_prefix=SETTING_PREFIX,
        env_nested_delimiter="__",
        env_file=(".env", RUNNING),  # the later one wins; the environment wins over both
        extra="ignore",
        env_ignore_empty=True,
    )

    api_key: ApiKey | None = Field(None, description="private API key of the account `default`")
    company_id: str | None = Field(None, description="public company id (6 characters), for `/client` actions")
    accounts: dict[str, AccountSettings] = Field(
        default_factory=dict,
        description="more accounts: `KLAVIYO_ACCOUNTS__<ALIAS>__API_KEY`, `…__COMPANY_ID`, `…__TIMEZONE`, "
        "`…__CONVERSION_METRIC`, `…__REDIS`, `…__WEIGHT`",
    )
    weight: Weight = Field(
        1,
        description="shares of the workers that the account `default` has, while others want some; each of these has 1",
    )
    client_id: str | None = Field(None, description="id of your OAuth application at Klaviyo")
    client_secret: ApiKey | None = Field(None, description="its secret")
    oauth_redirect_uri: str | None = Field(
        None, description="where Klaviyo sends people back to your web application, as registered with Klaviyo"
    )
    scopes: str = Field(
        "accounts:read campaigns:read campaigns:write catalogs:read catalogs:write conversations:read "
        "conversations:write coupon-codes:read coupon-codes:write coupons:read coupons:write data-privacy:read "
        "data-privacy:write events:read events:write flows:read flows:write images:read images:write lists:read "
        "lists:write metrics:read metrics:write profiles:read profiles:write push-tokens:read push-tokens:write "
        "segments:read segments:write subscriptions:read subscriptions:write tags:read tags:write templates:read "
        "templates:write",
        description="what an OAuth application asks for",
    )
    secret_key: SecretKeys | None = Field(
        None,
        description="encrypts secrets that are kept in Redis; several, with commas: the first encrypts, all decrypt",
    )
    base_url: str = Field("https://a.klaviyo.com", description="where Klaviyo is; a sandbox's address for trying")
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        repr=False,  # it may hold a password
        description="Redis or Valkey ≥ 6.2: `redis://`, `rediss://` (TLS), `unix:///path?db=0`, "
        "`sentinel://host:26379,host:26379/mymaster/0`, `cluster://host:6379,host:6379` (with TLS `sentinels://`, "
        "`clusters://`: [docs/redis.md](docs/redis.md)); options: " + ", ".join(f"`{name}`" for name in OPTIONS),
    )
    redis_urls: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="more of them, among which accounts are divided: `KLAVIYO_REDIS_URLS__<NAME>` "
        "([docs/redis.md](docs/redis.md#more-than-one))",
    )
    redis_name: Annotated[str, AfterValidator(alias_of)] = Field(
        MAIN, description="which of them this process works for; `main` is that of `KLAVIYO_REDIS_URL`"
    )
    redis_replicas: int = Field(
        0,
        ge=0,
        le=5,
        description="replicas of Redis that must have a task before `.delay()` returns, and a request that must not be "
        "repeated on record before it is sent",
    )
    store_url: str = Field(
        "sqlite:///.klaviyo/store.db",
        repr=False,  # it may hold a password
        description="where the syncs keep their rows: `sqlite:///path` or `postgresql://user:password@host/database`",
    )
    publish_timeout: float = Field(
        5.0, ge=0.3, le=300, description="seconds after which `.delay()` gives up on a Redis that does not answer"
    )
    connect_timeout: float = Field(5.0, gt=0, le=60, description="seconds to reach Klaviyo")
    read_timeout: float = Field(30.0, gt=0, le=600, description="seconds without a byte before an answer is given up")
    max_attempts: int = Field(
        10, ge=1, le=100, description="attempts before a request that Klaviyo could not answer fails"
    )
    backoff_seconds: float = Field(
        1.0, gt=0, description="seconds of the first step of the backoff; doubles, with full jitter"
    )
    backoff_max_seconds: float = Field(600.0, gt=0, description="seconds of the longest step of the backoff")
    job_deadline: float | None = Field(
        None, gt=0, description="seconds after which an asynchronous job counts as stuck, whatever its kind"
    )
    concurrency: int = Field(32, ge=1, le=256, description="requests that one worker has under way at once")
    together: bool = Field(
        True, description="calls that wait share a request where the outcome is the same; `off`: each goes alone"
    )
    result_expires: int = Field(86_400, ge=60, description="seconds for which a task's result is kept")
    failures_kept: int = Field(
        10_000, ge=0, le=1_000_000, description="how many failed tasks are kept for `klaviyo failures`; 0 keeps none"
    )
    failures_days: float = Field(14.0, gt=0, le=366, description="days for which a failed task is kept")
    shutdown_seconds: float = Field(
        10.0, ge=0, description="seconds within which what was sent may finish at a shutdown"
    )
    metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="port at which a worker serves metrics for Prometheus; none without it"
    )
    metrics_host: str = Field("127.0.0.1", description="the address at which it does; `0.0.0.0` for other machines")
    metrics_rows: int = Field(
        200,
        ge=1,
        le=10_000,
        description="most buckets, entries, streams and so on that Flower's `/klaviyo/metrics` has one by one; "
        "totals cover all",
    )

    log_format: Literal["console", "json"] = Field(
        "console", description="how worker, beat and Flower log: `console`, for people, or `json`, an object a line"
    )
    traces: bool = Field(
        False, description="OpenTelemetry's traces, with the extra `otel`; workers send them as `OTEL_…` says"
    )
    schedule: dict[str, str] = Field(
        default_factory=dict,
        description="when an entry of `klaviyo schedules` runs: `KLAVIYO_SCHEDULE__<ENTRY>` is a crontab, or `off`",
    )
    timezone: Zone = Field("UTC", description="the zone of the schedule; an account may have its own")
    conversion_metric: str = Field(
        "Placed Order", description="name or id of the metric whose events reports count as conversions"
    )
    pushes: dict[str, PushSettings] = Field(
        default_factory=dict,
        description="what is pushed to Klaviyo from a source: `KLAVIYO_PUSHES__<NAME>__KIND`, `…__SOURCE` "
        "(a file or `sql:SELECT …`), `…__DATABASE_URL`, `…__MAP`, `…__FIXED__<FIELD>`, `…__TIME_ZONE`, "
        "`…__COUNTRY`, `…__DATES` (`day-first` or `month-first`), `…__DECIMALS` (`decimal-comma` or `decimal-point`), "
        "`…__DELETE` "
        "(`none` or `missing`), `…__ACCOUNT`, `…__SCHEDULE` (a crontab)",
    )

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
            raise ValueError("it must begin with https:// (or http:// for a sandbox)")
        return value.rstrip("/")

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: str) -> str:
        ssl = parse(value).ssl
        for name in FILES:
            if name in ssl and not Path(ssl[name]).is_file():
                raise ValueError(f"{name} is not a readable file")
        return value

    @field_validator("redis_urls")
    @classmethod
    def _are_redis(cls, value: dict[str, str]) -> dict[str, str]:
        return {alias_of(name): cls._is_redis(url) for name, url in value.items()}

    @field_validator("accounts")
    @classmethod
    def _aliases(cls, value: dict[str, AccountSettings]) -> dict[str, AccountSettings]:
        return {alias_of(name): each for name, each in value.items()}

    @field_validator("schedule")
    @classmethod
    def _entries(cls, value: dict[str, str]) -> dict[str, str]:
        return {alias_of(name): each for name, each in value.items()}

    @field_validator("pushes")
    @classmethod
    def _names(cls, value: dict[str, PushSettings]) -> dict[str, PushSettings]:
        return {alias_of(name): each for name, each in value.items()}

    @property
    def redis(self) -> RedisAddress:
        """Where the current Redis is, for every client of it."""
        return self.redis_called(elsewhere() or self.redis_name)

    def redis_called(self, name: str) -> RedisAddress:
        """Where the Redis of this name is."""
        url = self.redis_url if name == MAIN else self.redis_urls[name]
        return replace(parse(url), replicas=self.redis_replicas)

    @property
    def redis_names(self) -> list[str]:
        """Every Redis by its name, that of ``KLAVIYO_REDIS_URL`` first."""
        return [MAIN, *sorted(self.redis_urls)]

    @property
    def lease_ms(self) -> int:
        """Milliseconds that a claimed lease may be out: all timeouts of one request in a row, and a margin."""
        return int((self.connect_timeout * 2 + self.read_timeout * 2 + 5) * 1000)


#: The names of the settings, and those inside the ones that are groups.
KNOWN: dict[str, tuple[str, ...] | None] = {
    **{name: () if field.default_factory is dict else None for name, field in Settings.model_fields.items()},
    "accounts": tuple(AccountSettings.model_fields),
    "pushes": tuple(PushSettings.model_fields),
}


@one_per_process
def get_settings() -> Settings:
    """Return the settings of this process, which are read once.

    Raises:
        SettingsError: one sentence for each wrong variable. No value is echoed: it may be a secret.

    """
    try:
        return _placed(Settings())
    except ValidationError as error:
        problems = [_problem(each) for each in error.errors(include_input=False, include_url=False)]
        raise SettingsError("; ".join(problems) + f" (environment or {Path('.env').absolute()})") from None
    except NotJson as error:
        field = error.args[0].partition('"')[2].partition('"')[0]
        raise SettingsError(f"KLAVIYO_{field.upper()}: this value must be JSON") from None


def _placed(settings: Settings) -> Settings:
    """The settings, in which every Redis that is named is one.

    Raises:
        SettingsError: there is none of this name.

    """
    asked = {"REDIS_NAME": settings.redis_name}
    for alias, each in settings.accounts.items():
        if each.redis:
            asked[f"ACCOUNTS__{alias.upper().replace('-', '_')}__REDIS"] = each.redis
    known = settings.redis_names
    if wrong := [
        f"{SETTING_PREFIX}{variable}: there is no Redis {name!r}"
        for variable, name in asked.items()
        if name not in known
    ]:
        raise SettingsError(f"{'; '.join(wrong)} (known: {', '.join(known)}; KLAVIYO_REDIS_URLS__<NAME> adds one)")
    return settings


def _problem(error: ErrorDetails) -> str:
    name = "__".join(str(part) for part in error["loc"]).upper()
    said = error["msg"].removeprefix("Value error, ")
    near = meant(name, KNOWN)
    if error["type"] == "extra_forbidden":
        members = KNOWN[str(error["loc"][0])] or ()
        said = "there is no such setting; " + (
            f"did you mean {near}?" if near else f"there are {', '.join(members).upper()}"
        )
    elif error["type"] == "model_type" and near:
        said = f"this is not a setting; did you mean {near}?"
    return f"{SETTING_PREFIX}{name}: {said}"


def misspelled_settings() -> str:
    """Return a warning about variables that look like ours but set nothing; empty if there are none.

    It covers the environment and the files of settings, and repeats no value.
    """
    found = dict(os.environ)
    for file in (Path(".env"), RUNNING):
        found |= {name: value or "" for name, value in dotenv_values(file, interpolate=False).items()}
    return " ".join(misspelled([name for name, value in found.items() if value], KNOWN))
