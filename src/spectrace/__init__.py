"""Spectrace tells camera pictures from generated ones by the traces generators leave."""

__version__ = "0.1.0"
