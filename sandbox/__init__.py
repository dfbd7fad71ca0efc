"""A local Klaviyo for development, tests and the demo: `python -m sandbox --port 8080`.

What it does: every operation of revision 2026-07-15 is routed, authenticated, checked for its scopes and charged to
exact fixed windows, and its body is checked against Klaviyo's shape down to the last leaf. Accounts, profiles, lists,
segments, events, metrics, tags, campaigns, catalogs, coupons, flows, forms, images, templates, reports, webhooks, the
client operations and data privacy keep state and behave. The other sections store what they are given and return it.

Through the side door, `/_sandbox/…`, it can be told to misbehave as Klaviyo does: faults in single requests, a hidden
client that uses up quota, wrong limits; jobs that take long, fail in part, are cancelled, hang, vanish, expire or find
no room; and the traps of incremental reading, from events in the future to records that change or disappear between
two pages. It sows accounts of any size (100,000 profiles and 500,000 events need 1.3 GB), lists its records row by row
for comparison, and reports what a client did twice. Marked values (sandbox/records/markers.py) are refused by
validation or rejected in a job.

What it does not do, and what a passing test against it therefore does not prove:

- It keeps everything in memory; a restart forgets it.
- Nobody outside Klaviyo knows how its windows are aligned or when its daily window resets. Here each window has
  a random phase of its own.
- What Klaviyo accepts with 202 and does later is done at once here, unless there is a job to watch.
- A job works through its items one after the other at an even pace; jobs of an account do not wait for each other, so
  two of them interleave by the times of their items.
- A job meets any other outcome after half its time. How many jobs Klaviyo allows in progress is known only for catalog
  and coupon jobs.
- Reads never lag: a record is in every listing and count as soon as it is stored. The traps are those that users have
  reported, as strong as asked for; they were not measured. A listing without a sort is ordered by the field that the
  filter bounds, or else by age.
- Sown records are plausible one by one but not together: no profile orders what it has viewed.
- Segments never compute their members (the seeded "Everyone" has everyone), flows never run, messages are never
  sent, webhooks are never called, images are never fetched, double opt-in is never requested.
- Records of custom objects are accepted and discarded; there are no conversations.
- A campaign becomes Sent without a message having gone out, and may be sent without template or audience; an
  audience of unknown ids is empty. Rendering a template replaces its variables and supports no other tag.
- Predictive analytics and reports are made-up numbers of the right shape; reports have 50 rows a page.
- Errors of bulk jobs for catalogs and coupon codes contain the nulls that a real one was seen to have, which the
  official SDK's models refuse to read.
- What Klaviyo's OpenAPI file says about a body only in prose is checked only where a mistake would lose data:
  identifiers, consent, events.
- `meta.patch_identifiers` and the filter `push_token` are accepted and do nothing.
- The wording of error details is a guess, as are statuses that Klaviyo does not publish (for a tag name that is taken
  or too many jobs in progress, say), the names of webhook topics, that archived campaigns are listed only on request,
  and that deleting an item deletes its variants.
- OAuth consent is given at once; there is no page to click through.
"""
