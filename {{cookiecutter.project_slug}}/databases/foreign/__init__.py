"""Foreign databases, whose schema belongs to someone else: test mode, refused commands, seeds, copies of models."""
