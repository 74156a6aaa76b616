"""Jobs: what they are (`model`), where they are kept (`store`), how their events are followed (`stream`), and the manager
that runs them."""
