"""What runs by the clock: `JobSpec` says what and when, the runner does it, the table `job` keeps what came of it."""
