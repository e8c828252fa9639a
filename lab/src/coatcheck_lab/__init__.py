"""The demo of Coatcheck, and the claims about JWT sessions as experiments."""
