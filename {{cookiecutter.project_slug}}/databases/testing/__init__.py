"""The settings, runner and pytest plugin of test runs. Production modules import nothing from here."""
