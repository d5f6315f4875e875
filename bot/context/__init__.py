"""Repository to Pack: sync, select, render, overlay. It knows no model."""
