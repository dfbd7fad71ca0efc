"""`klaviyo sync`: where the streams stand, reading some of them now, and what that would take."""
