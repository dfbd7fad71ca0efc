"""A local Klaviyo for development, tests and the demo: `python -m sandbox --port 8080`.

What it does: every operation of revision 2026-07-15 is routed, authenticated, checked against its scopes, charged to
exact fixed windows, and its body checked against Klaviyo's shape to the last leaf. Accounts, profiles, lists, segments,
events, metrics, tags, campaigns, catalogs, coupons, flows, forms, images, templates, reports, webhooks, the client
operations and data privacy keep state and behave. The other sections store what they are given and hand it back.

Over the side door, `/_sandbox/…`, it is told to misbehave as Klaviyo does: faults of single requests, a hidden client
that eats quota, wrong limits; jobs that take long, fail in part, are cancelled, hang, vanish, expire or find no room;
and the traps of incremental reading, from events in the future to records that change or go between two pages. It
sows accounts of any size (100,000 profiles and 500,000 events need 1.3 GB), hands out its records row by row to be
compared with, and tells what a client has asked for twice. Values that are marked (sandbox/records/markers.py) are
refused by validation or rejected in a job.

What it does not do, and what a green run against it therefore does not prove:

- It keeps everything in one process's memory; a restart forgets it.
- Nobody outside Klaviyo knows how its windows are aligned or when its daily window resets. Here each window has
  a random phase of its own.
- What Klaviyo accepts with 202 and does later is done at once here, except for what has a job to watch.
- A job works through its items at an even pace and one after the other; jobs of an account do not wait for each other,
  so that the order of what two of them do is that of their items' times.
- A job's other outcomes come when half its time is over. How many there may be in progress is known of Klaviyo for
  catalog and coupon jobs alone.
- Nothing is read late: a record is in every listing and count as soon as it is stored. The traps are the reported
  ones, in the strength that is asked for, not measured ones; a listing without a sort is in the order of the bounded
  field, else of age.
- Sown records are plausible one by one. Together they have no story: nobody orders what they viewed.
- Segments never compute their members (the seeded "Everyone" has everyone), flows never run, messages are never
  sent, webhooks are never called, images are never fetched, double opt-in is never asked.
- Records of custom objects are accepted and go nowhere; nobody has a conversation.
- A campaign becomes Sent without a message having gone out, and may be sent without template or audience; an
  audience of unknown ids holds nobody. Rendering a template replaces its variables, and knows no other tag.
- Predictive analytics and reports are made-up numbers of the right shape; reports have 50 rows a page.
- An error of a bulk job over catalog or coupon codes has the nulls that a real one was seen to have, which the
  official SDK's models refuse to read.
- What Klaviyo's file says of a body in prose alone is checked only where a mistake would lose data: identifiers,
  consent, events.
- `meta.patch_identifiers` and the filter `push_token` are accepted and do nothing.
- The wording of error details, and statuses that Klaviyo does not publish (for a tag name that is taken, or too many
  jobs in progress, say), are guesses. So are the names of webhook topics, that archived campaigns are listed only
  when they are asked for, and that an item's variants go with it.
- OAuth consents at once; there is no page to click.
"""
