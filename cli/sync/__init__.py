"""`klaviyo sync`: show the status of streams, read some of them now, or estimate what that would take."""
