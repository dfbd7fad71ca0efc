"""Creating the store's tables and upgrading them: Alembic, without its configuration file.

Alembic is loaded where it is used: most processes never open the store, and it costs them a tenth of their start.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from schedules.store.engine import READ_ONLY, open_engine
from worker.errors import SettingsError

if TYPE_CHECKING:
    from alembic.config import Config

#: The advisory lock that two upgrades of one PostgreSQL database compete for: "klaviyo" as positions in the alphabet.
UPGRADE_LOCK_ID = 11_12_01_22_09_25_15


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The result of an upgrade: the store's URL without its password, and its version before and now."""

    address: str
    before: str | None
    now: str


def upgrade(url: str) -> Upgrade:
    """Create the tables of the store at this URL, or bring them up to date; harmless if they are.

    Raises:
        SettingsError: the database cannot be reached or written.

    """
    _quieten_alembic()
    from alembic import command
    from alembic.util import CommandError

    engine = open_engine(url)
    shown = engine.url.render_as_string(hide_password=True)
    try:
        if engine.dialect.name == "sqlite":
            # It will hold customers' data: only the owner may enter a new folder.
            Path(engine.url.database or "").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One exclusive transaction for everything; SQLite's is exclusive by itself.
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK_ID})
            before = _version(connection)
            command.upgrade(_config(connection), "head")
            return Upgrade(shown, before, str(_version(connection)))
    except DBAPIError as error:
        raise SettingsError(f"the store at {shown} cannot be upgraded: {str(error.orig).strip()}") from None
    except (CommandError, OSError) as error:  # a newer version's migration, Alembic cannot locate
        raise SettingsError(f"the store at {shown} cannot be upgraded: {error}") from None
    finally:
        engine.dispose()


def is_current(engine: Engine) -> bool:
    """Return True if the store has the tables of this version."""
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return False  # connecting would create an empty file
    _quieten_alembic()
    from alembic.script import ScriptDirectory

    with engine.execution_options(**{READ_ONLY: True}).connect() as connection:
        head = ScriptDirectory.from_config(_config(connection)).get_current_head()
        return _version(connection) == head


def _quieten_alembic() -> None:
    # At INFO, it tells a worker's log what it is made of, from its import on.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _version(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config
