"""What every stage uses and nobody owns: bounds, text and masks. Knows nothing of hedges."""
