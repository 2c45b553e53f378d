"""From events to writes: queue, caches, worker, reconcilers."""
