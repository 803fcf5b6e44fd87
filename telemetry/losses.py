"""Why spans are lost. It needs no OpenTelemetry, so metrics can name the reasons without it."""

QUEUE_FULL = "queue_full"
NOT_TAKEN = "not_taken"
"""By the collector: it is away, or it refused them."""

LOSSES = (QUEUE_FULL, NOT_TAKEN)
