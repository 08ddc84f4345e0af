"""The stage `pretrain`: an encoder learns from bare recordings (phase A)."""
