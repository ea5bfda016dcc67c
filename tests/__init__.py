"""Tests of the template: every combination of answers is baked, checked and run."""
