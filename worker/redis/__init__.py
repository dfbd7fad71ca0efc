"""Where Redis is and what it lets us do: one server, Sentinels or a cluster, its users' rights, its memory, a move."""
