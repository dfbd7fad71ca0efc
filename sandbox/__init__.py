"""A local Klaviyo for development, tests and the demo: `python -m sandbox --port 8080`.

What it does: every operation of revision 2026-07-15 is routed, authenticated, checked against its scopes,
charged to exact fixed windows and validated at the top level of its body. Accounts, profiles, lists, segments,
events, metrics, tags, campaigns, catalogs, coupons, flows, forms, images, templates, reports, webhooks, the client
operations and data privacy keep state and behave. The other sections store what they are given and hand it back.

What it does not do, and what a green run against it therefore does not prove:

- It keeps everything in one process's memory; a restart forgets it.
- Nobody outside Klaviyo knows how its windows are aligned or when its daily window resets. Here each window has
  a random phase of its own.
- What Klaviyo accepts with 202 and does later is done at once here, except for what has a job to watch.
- Segments never compute their members (the seeded "Everyone" has everyone), flows never run, messages are never
  sent, webhooks are never called, images are never fetched, double opt-in is never asked.
- Records of custom objects are accepted and go nowhere; nobody has a conversation.
- A campaign becomes Sent without a message having gone out, and may be sent without template or audience; an
  audience of unknown ids holds nobody. Rendering a template replaces its variables, and knows no other tag.
- Predictive analytics and reports are made-up numbers of the right shape; reports have 50 rows a page.
- An error of a bulk job over catalog or coupon codes has the nulls that a real one was seen to have, which the
  official SDK's models refuse to read.
- Attribute values below the top level are checked only where a mistake would lose data: identifiers, consent,
  events.
- `meta.patch_identifiers` and the filter `push_token` are accepted and do nothing.
- The wording of error details, and statuses that Klaviyo does not publish (for a tag name that is taken, or too many
  jobs in progress, say), are guesses. So are the names of webhook topics, that archived campaigns are listed only
  when they are asked for, and that an item's variants go with it.
- OAuth consents at once; there is no page to click.
"""
