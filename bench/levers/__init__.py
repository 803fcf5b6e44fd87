"""Each speed lever that is a setting: before and after, in turns, by one command."""
