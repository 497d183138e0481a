"""Workarounds: one file for each fault of Keras or TensorFlow that the zoo steps round.

Each file's docstring names the fault, the upstream issue where there is one, the versions it was seen in, and the way
round. Replaced methods, private attributes of Keras and changed classes are found here and nowhere else, and
tests/test_keras_fixes.py holds a sentinel for each file: a test that fails once the fault has been mended, so that the
file can go. Everything in zoo may import from here; these files import Keras, TensorFlow and `zoo.models.checks` alone.
"""
