"""The vocoder library: mel spectrograms to sound, by HiFi-GAN, by a fast iSTFT head, or by Griffin-Lim."""
