"""Text: alphabets and normalization."""
