"""The model hub: how a trained model is saved, opened, fetched, described and inspected."""
