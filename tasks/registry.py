"""Every action and every step of a job: importing this registers them all, as a worker has to."""

from tasks import accounts as accounts
from tasks import campaigns as campaigns
from tasks import catalog_categories as catalog_categories
from tasks import catalog_items as catalog_items
from tasks import catalog_variants as catalog_variants
from tasks import client as client
from tasks import conversations as conversations
from tasks import coupons as coupons
from tasks import custom_objects as custom_objects
from tasks import data_privacy as data_privacy
from tasks import events as events
from tasks import flows as flows
from tasks import forms as forms
from tasks import images as images
from tasks import lists as lists
from tasks import metrics as metrics
from tasks import profiles as profiles
from tasks import reporting as reporting
from tasks import reviews as reviews
from tasks import segments as segments
from tasks import tags as tags
from tasks import templates as templates
from tasks import tracking_settings as tracking_settings
from tasks import web_feeds as web_feeds
from tasks import webhooks as webhooks
from worker.app import app

# What follows jobs and collects pages costs more to import than all declarations together.
app.loads(
    "tasks.collect",
    "tasks.companies",
    *(f"tasks.jobs.{step}" for step in ("begin", "carried", "find", "read", "spawn", "watch", "withdraw")),
    "worker.canvas",
    "worker.process.sweep",
    "worker.together.carrier",
)
