"""A local Klaviyo for development, tests and the demo: `python -m sandbox --port 8080`.

What it does: every operation of revision 2026-07-15 is routed, authenticated, checked against its scopes,
charged to exact fixed windows and validated at the top level of its body. Accounts, profiles, lists, segments,
events, metrics, tags, the client operations and data privacy keep state and behave. The other sections store
what they are given and hand it back.

What it does not do, and what a green run against it therefore does not prove:

- It keeps everything in one process's memory; a restart forgets it.
- Nobody outside Klaviyo knows how its windows are aligned or when its daily window resets. Here each window has
  a random phase of its own.
- What Klaviyo accepts with 202 and does later is done at once here, except for what has a job to watch.
- Segments never compute their members (the seeded "Everyone" has everyone), flows never run, messages are never
  sent, double opt-in is never asked.
- Predictive analytics, reports and estimations are made-up numbers of the right shape.
- Attribute values below the top level are checked only where a mistake would lose data: identifiers, consent,
  events.
- `meta.patch_identifiers` and the filter `push_token` are accepted and do nothing.
- The wording of error details, and statuses that Klaviyo does not publish (for a tag name that is taken, say), are
  guesses.
- OAuth consents at once; there is no page to click.
"""
