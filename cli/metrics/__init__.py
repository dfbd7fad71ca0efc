"""What Redis and the store know of the whole deployment, for Prometheus: `/klaviyo/metrics` of Flower."""
