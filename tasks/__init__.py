"""What can be asked of Klaviyo: one module for each section of its reference.

An application imports what it uses, `from tasks.profiles import create_profile`; `tasks.registry` imports all of it.
"""
