"""The commands of the program: one file a command holds its options, and hands them to a run."""
