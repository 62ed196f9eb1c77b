"""What the sub-commands of `skmade` do."""
