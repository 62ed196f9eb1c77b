"""What the displays draw: the data of lines, bars and contours, not only that they draw."""
