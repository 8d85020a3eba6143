"""What a feed is and how much capacity it wants: standard library only, no I/O."""
