"""Klaviyo is asked which company each private key belongs to (`worker.accounts.companies`), while other tasks go on."""

from __future__ import annotations

from contextlib import suppress

from celery.utils.log import get_logger

from tasks.accounts import get_accounts
from worker.accounts.companies import (
    company_of,
    find_accounts_to_learn,
    find_parted,
    forget_company,
    learn_company,
    may_ask,
)
from worker.accounts.lookup import account
from worker.api.jsonapi import Envelope
from worker.app import app
from worker.errors import ScopeMissing
from worker.process.bootstep import LEARN_COMPANIES
from worker.redis.absence import without_those_away
from worker.redis.homes import here
from worker.settings import get_settings
from worker.steps import Step

logger = get_logger(__name__)


class LearnCompanies(Step):
    """Ask about each key of which that is not known yet."""

    name = LEARN_COMPANIES
    ignore_result = True

    def run(self) -> None:
        """Publish a question for each, whose answer `NoteCompany` gets."""
        for owner in find_accounts_to_learn(get_settings()):
            if not owner.uses_key:
                forget_company(owner)
            elif may_ask(owner):
                noted = note_company.s(owner.alias, owner.fingerprint)
                with suppress(ScopeMissing):  # it is not told then, and the account keeps a budget of its own
                    get_accounts.apply_async(klaviyo_account=owner.alias, klaviyo_lane="bulk", link=noted)


class NoteCompany(Step):
    """Remember the company that Klaviyo has named, unless the account has another key by now."""

    name = "klaviyo.note_company"
    ignore_result = True

    def run(self, envelope: Envelope, alias: str, fingerprint: str) -> None:
        """Let the account draw on the company's budget."""
        owner, company_id = account(get_settings(), alias), company_of(envelope)
        if company_id and owner.uses_key and owner.fingerprint == fingerprint:
            learn_company(owner, company_id)
            with without_those_away():
                for parted in find_parted(get_settings()):
                    if (owner.alias, here()) in parted.accounts:
                        logger.warning("Of Klaviyo's limits: %s.", parted)


note_company = app.register_task(NoteCompany())
app.register_task(LearnCompanies())
