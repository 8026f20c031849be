"""Pure core: records, ids, ref names, codecs and folding. No I/O, no clock, no randomness."""
