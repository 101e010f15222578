"""What the five formats' files say of their picture, found without decoding it: a module for each."""
