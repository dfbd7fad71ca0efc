"""Flower as we run it: it finds Redis as the workers do, lists the tasks that wait, and shows pages of ours."""
