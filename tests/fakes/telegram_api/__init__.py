"""The parts of the Bot API stand-in; tests use `tests.fakes.telegram`."""
