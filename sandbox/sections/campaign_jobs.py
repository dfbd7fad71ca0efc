"""Sending a campaign and estimating its recipients: jobs with the id of the campaign."""

from sandbox.call import Call, Reply
from sandbox.errors import refusal
from sandbox.reading import documents
from sandbox.records import campaigns
from sandbox.records.store import Resource, ScheduledWork, Store
from sandbox.sections import jobs
from sandbox.times import from_iso, to_iso

SEND, ESTIMATE = "campaign-send-job", "campaign-recipient-estimation-job"
UNDER_WAY = ("Preparing to send", "Preparing to schedule", "Scheduled", "Sending")


def refresh_campaign_recipient_estimation(call: Call) -> Reply:
    """Start the job that counts the recipients again."""
    campaign = call.store.get("campaign", call.data["id"])
    store = call.store

    def count(index: int, now: float) -> bool:
        estimation = store.find("campaign-recipient-estimation", campaign.id)
        if estimation:
            estimation.attributes["estimated_recipient_count"] = campaigns.count_recipients(store, campaign)
        return True

    return documents.single(call, jobs.create(call, ESTIMATE, total=1, do_item=count, id=campaign.id, shape=jobs.BARE))


def send_campaign(call: Call) -> Reply:
    """Start the job that sends a draft, or schedules it if its strategy names a later time."""
    store = call.store
    campaign = store.get("campaign", call.data["id"])
    if campaign.attributes["status"] != "Draft":
        campaign.private["sent_again"] = True
        raise refusal(409, f"This campaign is {campaign.attributes['status']}, and only a draft can be sent.")
    due = _due(campaign, call.now)
    later = due > call.now

    def send(index: int, now: float) -> bool:
        if not later:
            _set(store, campaign, now, status="Sent", send_time=to_iso(now), scheduled_at=to_iso(now))
            return True
        _set(store, campaign, now, status="Scheduled", send_time=to_iso(due), scheduled_at=to_iso(now))
        store.schedule(due, _sending(store, campaign, due))
        return True

    def on_cancelled(now: float) -> None:
        _set(store, campaign, now, status="Cancelled", scheduled_at=None, send_time=None)

    job = jobs.create(call, SEND, total=1, do_item=send, on_cancelled=on_cancelled, id=campaign.id, shape=jobs.BARE)
    _set(store, campaign, call.now, status="Preparing to schedule" if later else "Preparing to send")
    return documents.single(call, job)


def cancel_campaign_send(call: Call) -> Reply:
    """`cancel` ends a campaign for good, `revert` makes it a draft again."""
    job, campaign = call.store.get(SEND, call.path_id), call.store.get("campaign", call.path_id)
    action = call.attributes["action"]
    if campaign.attributes["status"] not in UNDER_WAY:
        raise refusal(400, f"This campaign is {campaign.attributes['status']}: there is nothing to {action}.")
    job.attributes["status"] = "cancelled"
    status = "Cancelled" if action == "cancel" else "Draft"
    _set(call.store, campaign, call.now, status=status, scheduled_at=None, send_time=None)
    return Reply()


def _due(campaign: Resource, now: float) -> float:
    """When to send a campaign."""
    strategy = campaign.attributes["send_strategy"]
    moment = from_iso(strategy.get("datetime") or strategy.get("date") or "")
    return max(moment.timestamp(), now) if moment else now


def _sending(store: Store, campaign: Resource, due: float) -> ScheduledWork:
    """Send a campaign at its scheduled time, if it is still scheduled for then."""
    planned = to_iso(due)

    def send(now: float) -> None:
        if (campaign.attributes["status"], campaign.attributes["send_time"]) == ("Scheduled", planned):
            _set(store, campaign, due, status="Sent")

    return send


def _set(store: Store, campaign: Resource, now: float, **news: str | None) -> None:
    campaign.attributes |= news
    store.touch(campaign, now)
