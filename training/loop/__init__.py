"""What both trainings share: the schedule, checkpoints, stopping, the record of a run."""
