"""Networks as hardware realises them: activations that differ between neurons, and weights in analog memory."""
