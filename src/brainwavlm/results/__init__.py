"""What evaluate, compare and transfer leave behind."""
