"""The four ids that every vocabulary reserves."""

PADDING, UNKNOWN, START, END = 0, 1, 2, 3
