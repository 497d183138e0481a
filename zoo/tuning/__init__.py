"""Tuning: KerasTuner proposes settings, the shared recipe trains and judges them."""
