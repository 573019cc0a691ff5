"""Scheduled jobs: one file each, which exports `SPEC: JobSpec` and is loaded by name."""
