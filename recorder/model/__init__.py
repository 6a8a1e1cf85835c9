"""Nouns of the product: values without behaviour towards the world."""
