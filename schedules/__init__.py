"""When things run by themselves, and the syncs that they start."""

from schedules import sync as sync
