"""The service as a discrete-event model: processes, cores, queues and limits, in simulated time."""
