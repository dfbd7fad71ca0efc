"""The steps. A step that was released is never changed: it names columns and types itself, not those of today."""
