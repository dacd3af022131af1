"""What is watched while the program runs, and told to a person."""
