"""The janitor: carries plans out, in two phases; checks the laws; rebuilds the catalog."""
