"""Plots: waveforms, spectrograms and curves as figures, and the HTML report that holds them."""
