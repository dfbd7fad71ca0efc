"""Imports: any number of rows, sent in bulk within the budget, with a report of every row that did not land.

    import_profiles("customers.csv", list_ids=["Y6nRLr"], mapping=["E-Mail=email", "*=properties.*"]).landed

Rows come from a CSV, JSON Lines, either of them gzipped, standard input (``-``) or any iterable of mappings. They are
streamed. An interrupted run is resumed under its id: ``import_profiles("customers.csv", run=id)``.
"""

from tasks.imports.estimate import Estimate as Estimate
from tasks.imports.estimate import estimate as estimate
from tasks.imports.options import Options as Options
from tasks.imports.public import import_catalog_categories as import_catalog_categories
from tasks.imports.public import import_catalog_items as import_catalog_items
from tasks.imports.public import import_catalog_variants as import_catalog_variants
from tasks.imports.public import import_coupon_codes as import_coupon_codes
from tasks.imports.public import import_events as import_events
from tasks.imports.public import import_profiles as import_profiles
from tasks.imports.public import subscribe as subscribe
from tasks.imports.public import suppress as suppress
from tasks.imports.public import unsubscribe as unsubscribe
from tasks.imports.public import unsuppress as unsuppress
from tasks.imports.report import Report as Report
from tasks.imports.run import Import as Import
from tasks.imports.run import cancel_import as cancel_import
from tasks.imports.run import run_import as run_import
