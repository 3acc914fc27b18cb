// Tests follow in the same change.
