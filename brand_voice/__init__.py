"""Own your brand's voice: distil approved marketing copy into a small model you can serve yourself."""

__version__ = "0.1.0"
