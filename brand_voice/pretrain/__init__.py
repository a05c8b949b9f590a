"""Train the embedded base student from scratch: text to weights in one command (`make base-student`)."""
