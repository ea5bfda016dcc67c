"""The secondary: a second database of the project's own. Its router is the primary's, `databases.own`."""
