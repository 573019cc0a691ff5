"""nanobot as a service: a real systemd, booted in a container, installs it and runs it.

Marked `service`: it takes root, systemd-nspawn and debootstrap, and once a few minutes to fetch a small Debian.
`make test-service` runs it.
"""
