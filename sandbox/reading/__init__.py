"""Reading the sandbox's records: filters, sorting, pages and JSON:API documents."""
