"""Loads what every life of the bot reads at first use (tables of places and words). Works when imported, unlike any other module:
it stands in the preload list of the process that lives are forked from, and nowhere else."""

from datetime import UTC, datetime

from bot.alerts.compose import load_templates
from ingest.when import resolve_when
from ingest.where import resolve_where

resolve_where("深圳市罗湖区东门老街")
resolve_when("刚刚", datetime.now(UTC))
load_templates()
