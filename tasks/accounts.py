"""Accounts: the company that a key belongs to, its addresses and its settings."""

from __future__ import annotations

from typing import Literal

from worker.action import action
from worker.api.jsonapi import Envelope

AccountField = Literal[
    "contact_information", "contact_information.default_sender_email", "contact_information.default_sender_name",
    "contact_information.organization_name", "contact_information.street_address",
    "contact_information.street_address.address1", "contact_information.street_address.address2",
    "contact_information.street_address.city", "contact_information.street_address.country",
    "contact_information.street_address.region", "contact_information.street_address.zip",
    "contact_information.website_url", "id", "industry", "locale", "preferred_currency", "public_api_key",
    "test_account", "timezone",
]  # fmt: skip


@action("GET /api/accounts", limits="1/s 15/m", scopes="accounts:read")
def get_accounts(*, fields_account: list[AccountField] | None = None) -> Envelope:
    """List the account that the key belongs to.

    A private key has one account; an OAuth token too. The list has one entry.
    """
    ...


@action("GET /api/accounts/{id}", limits="1/s 15/m", scopes="accounts:read")
def get_account(*, id: str, fields_account: list[AccountField] | None = None) -> Envelope:
    """Get the account with this id.

    Any other id than that of the key's own account is refused.
    """
    ...
