"""Models as folders of files: what kind a model is, how it is written, how it is read without running foreign code."""
