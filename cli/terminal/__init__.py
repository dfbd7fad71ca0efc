"""How commands print: sentences, tables, times, and views that are redrawn."""
