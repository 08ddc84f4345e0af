"""The door to transformers: encoders with their classes, and the own network as the stock pipeline opens it."""
