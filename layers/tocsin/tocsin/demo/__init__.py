"""``tocsin demo``: the embedded engine, four pretended vendors, alerts of three senders, and what people saw."""
